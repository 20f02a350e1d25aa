/** The checksum and the digest of images (image.ts), by Node. */
import { createCipheriv, createHash } from 'node:crypto';
import { CHECKSUM_BYTES } from './image.ts';
import type { ImageHasher } from './image.ts';

const GMAC_KEY = Buffer.from('godwit-image-v1\0');
const GMAC_NONCE = Buffer.alloc(12);

export const hasher: ImageHasher = {
  checksum(content) {
    const mac = createCipheriv('aes-128-gcm', GMAC_KEY, GMAC_NONCE, { authTagLength: CHECKSUM_BYTES });
    mac.setAAD(content);
    mac.final();
    return mac.getAuthTag();
  },
  digest() {
    const hash = createHash('sha256');
    return { update: (part) => void hash.update(part), final: () => hash.digest() };
  },
};
