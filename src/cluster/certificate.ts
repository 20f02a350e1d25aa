/**
 * The bytes of a certificate: X.509 version 3 (RFC 5280) in DER (ITU-T X.690), in exactly the one form that the
 * cluster authority issues: ECDSA with SHA-256 on P-256 (RFC 5480, RFC 5758), valid for all times. Nothing is parsed
 * here; certificates are checked by TLS itself.
 */

/** What a certificate says. Names are lists of attributes in the order of the subject. */
export interface CertificateContent {
  /** 1 to 20 bytes, the first from 1 to 127: a positive integer. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** What the two keys are known by: 20 bytes of a hash each (RFC 5280, section 4.2.1.2; RFC 7093). */
  readonly subjectKeyId: Uint8Array;
  readonly issuerKeyId: Uint8Array;
  /** The certificate may issue others (but no further authority), or is a node's, for both ends of a connection. */
  readonly authority: boolean;
}

export interface DistinguishedName {
  readonly organization: string;
  readonly commonName: string;
}

/** Object identifiers, in their encoded form. */
const OID = {
  organization: [0x55, 0x04, 0x0a],
  commonName: [0x55, 0x04, 0x03],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  subjectKeyId: [0x55, 0x1d, 0x0e],
  authorityKeyId: [0x55, 0x1d, 0x23],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  clientAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
} as const;

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  keyIdentifier: 0x80,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/**
 * A signed certificate.
 * @param sign ECDSA with SHA-256 over the bytes by the issuer's key, as a DER sequence of r and s
 * @returns DER
 */
export function encodeCertificate(content: CertificateContent, sign: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const algorithm = der(TAG.sequence, oid('ecdsaWithSha256'));
  const signed = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, [2])),
    der(TAG.integer, content.serial),
    algorithm,
    name(content.issuer),
    VALIDITY,
    name(content.subject),
    content.publicKey,
    der(TAG.extensions, der(TAG.sequence, ...extensions(content))),
  );
  return der(TAG.sequence, signed, algorithm, der(TAG.bitString, [0], sign(signed)));
}

/**
 * Valid for all times. Whether a node may (still) take part is decided by the list of members and not by a date, so
 * that a machine whose clock has jumped, or wakes up in 1970 without a battery, keeps its links. The end is the one
 * that stands for "none" (RFC 5280, section 4.1.2.5).
 */
const VALIDITY = der(
  TAG.sequence,
  der(TAG.utcTime, ascii('700101000000Z')),
  der(TAG.generalizedTime, ascii('99991231235959Z')),
);

const TRUE = der(TAG.boolean, [0xff]);

function name({ organization, commonName }: DistinguishedName): Uint8Array {
  return der(TAG.sequence, attribute('organization', organization), attribute('commonName', commonName));
}

function attribute(type: 'organization' | 'commonName', value: string): Uint8Array {
  return der(TAG.set, der(TAG.sequence, oid(type), der(TAG.utf8, ascii(value))));
}

function extensions({ authority, subjectKeyId, issuerKeyId }: CertificateContent): Uint8Array[] {
  const keyIds = [
    extension('subjectKeyId', der(TAG.octetString, subjectKeyId)),
    extension('authorityKeyId', der(TAG.sequence, der(TAG.keyIdentifier, issuerKeyId))),
  ];
  if (authority) {
    return [
      ...keyIds,
      // cA true, pathLenConstraint 0; keyUsage bit 5, keyCertSign.
      extension('basicConstraints', der(TAG.sequence, TRUE, der(TAG.integer, [0])), TRUE),
      extension('keyUsage', der(TAG.bitString, [2, 0b0000_0100]), TRUE),
    ];
  }
  return [
    ...keyIds,
    extension('basicConstraints', der(TAG.sequence), TRUE),
    // keyUsage bit 0, digitalSignature. A node is server and client on its links.
    extension('keyUsage', der(TAG.bitString, [7, 0b1000_0000]), TRUE),
    extension('extendedKeyUsage', der(TAG.sequence, oid('serverAuth'), oid('clientAuth')), TRUE),
  ];
}

/** A critical extension must not be passed over by who does not understand it. */
function extension(type: keyof typeof OID, value: Uint8Array, ...critical: readonly Uint8Array[]): Uint8Array {
  return der(TAG.sequence, oid(type), ...critical, der(TAG.octetString, value));
}

function oid(type: keyof typeof OID): Uint8Array {
  return der(TAG.oid, OID[type]);
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** One DER element: tag, length in the shortest form, contents. */
function der(tag: number, ...contents: readonly ArrayLike<number>[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  let size: number[];
  if (length < 0x80) size = [length];
  else if (length < 0x100) size = [0x81, length];
  else size = [0x82, length >> 8, length & 0xff];
  const out = new Uint8Array(1 + size.length + length);
  out[0] = tag;
  out.set(size, 1);
  let at = 1 + size.length;
  for (const part of contents) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
