/** A function that could run, but not be captured and resumed: code as large as that V8 does not take. */
import { GodwitError } from '../../base/errors.ts';

export class NotMovable extends GodwitError {
  /** @param what of which function is too much: a sentence without its end */
  constructor(what: string) {
    super('limit', what);
  }
}
