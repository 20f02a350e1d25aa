/**
 * Why a connection could not be made or broke, in words for people: Node and OpenSSL give codes, and messages with the
 * names and lines of C functions. Every clause says something of "it", the other end.
 */

/** What an error of Node's `net` and `tls` has besides its message. */
export interface TlsError {
  readonly code?: string | undefined;
  readonly message: string;
  /** OpenSSL's own words without where they come from, of its errors only. */
  readonly reason?: string;
}

const NO_NODE = 'what listens there is no Godwit node';
const CUT = 'it has cut the connection';
const TIMED_OUT = 'nothing has come from it for too long';

/** Certificates are valid for all times, so whatever OpenSSL has against one, it is that. */
export const OTHER_AUTHORITY = "its certificate is not of this cluster's authority";

const CONNECTING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no node listens there',
  ECONNRESET: 'it has cut the connection, so it is no Godwit node, or one that stops',
  EHOSTUNREACH: 'there is no way to that machine',
  ENETUNREACH: 'there is no way to that network',
  ENOTFOUND: 'no machine has that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'no answer',
  EPROTO: NO_NODE,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_NODE,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_NODE,
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: NO_NODE,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: `${NO_NODE}: it does not speak TLS 1.3`,
  ERR_SSL_UNSUPPORTED_PROTOCOL: `${NO_NODE}: it does not speak TLS 1.3`,
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: OTHER_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_AUTHORITY,
  CERT_SIGNATURE_FAILURE: OTHER_AUTHORITY,
};

const ACCEPTING: Readonly<Record<string, string>> = {
  ECONNRESET: 'it has cut the connection before it said who it is',
  EPIPE: 'it has cut the connection before it said who it is',
  ERR_SSL_HTTP_REQUEST: 'it speaks HTTP, so it is no Godwit node',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'it speaks HTTP, so it is no Godwit node',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS, so it is no Godwit node',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS, so it is no Godwit node',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it does not speak TLS 1.3, so it is no Godwit node',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'it speaks TLS but not as Godwit nodes do',
  ERR_SSL_NO_SHARED_CIPHER: 'it takes none of the ciphers of Godwit nodes',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it was too slow in saying who it is',
};

const BREAKING: Readonly<Record<string, string>> = { ECONNRESET: CUT, EPIPE: CUT, ETIMEDOUT: TIMED_OUT };

/** A name with several addresses fails with an error of errors, whose own message is empty. */
function inWords(table: Readonly<Record<string, string>>, { code = '', message, reason }: TlsError): string {
  return table[code] ?? reason ?? (message.trim() || code || 'unknown');
}

/** Why nobody could be connected to. */
export const connectFailure = (error: TlsError): string => inWords(CONNECTING, error);

/** Why someone who has connected was not let in. */
export const acceptFailure = (error: TlsError): string => inWords(ACCEPTING, error);

/** Why a connection that was there is not any more. */
export const breakReason = (error: TlsError): string => inWords(BREAKING, error);
