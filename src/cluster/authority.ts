/**
 * The cluster authority: the key that the founding node makes and keeps, with which it certifies every node. ECDSA on
 * P-256. A certificate says which cluster and which node (src/link/identity.ts), and nothing else.
 */
import type { KeyObject } from 'node:crypto';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { GodwitError } from '../base/errors.ts';
import type { NodeId } from '../base/ids.ts';
import { commonNameOf } from '../link/identity.ts';
import { encodeCertificate } from './certificate.ts';

const CURVE = 'prime256v1';
/** The authority's own common name. */
const AUTHORITY = 'authority';

/** What has to be kept of an authority; the key and the certificate are PEM. */
export interface AuthorityRecord {
  readonly cluster: string;
  readonly key: string;
  readonly certificate: string;
}

/** A node's key as PEM, and the public half of it that the authority certifies (SubjectPublicKeyInfo, DER). */
export interface NodeKey {
  readonly key: string;
  readonly publicKey: Uint8Array;
}

export class Authority {
  readonly record: AuthorityRecord;
  readonly #key: KeyObject;

  /** @throws GodwitError('corrupt') if the key cannot be read */
  constructor(record: AuthorityRecord) {
    this.record = record;
    try {
      this.#key = createPrivateKey(record.key);
    } catch (error) {
      throw new GodwitError('corrupt', 'the stored key of the cluster authority cannot be read', { cause: error });
    }
  }

  /** A new authority. @param cluster the id of the new cluster: hexadecimal digits */
  static create(cluster: string): Authority {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
    const self = { organization: cluster, commonName: AUTHORITY };
    const keyId = keyIdOf(spki(publicKey));
    const certificate = encodeCertificate(
      {
        serial: serialNumber(),
        issuer: self,
        subject: self,
        publicKey: spki(publicKey),
        subjectKeyId: keyId,
        issuerKeyId: keyId,
        authority: true,
      },
      (bytes) => sign('sha256', bytes, privateKey),
    );
    return new Authority({ cluster, key: pkcs8(privateKey), certificate: certificateText(certificate) });
  }

  /**
   * Certifies a node.
   * @param publicKey SubjectPublicKeyInfo, DER. That the node has the private half is proved at its first connection
   * @returns the certificate, PEM
   * @throws GodwitError('protocol') if it is not a public key on P-256
   */
  certify(node: NodeId, publicKey: Uint8Array): string {
    const organization = this.record.cluster;
    const key = checkedKey(publicKey);
    const der = encodeCertificate(
      {
        serial: serialNumber(),
        issuer: { organization, commonName: AUTHORITY },
        subject: { organization, commonName: commonNameOf(node) },
        publicKey: key,
        subjectKeyId: keyIdOf(key),
        issuerKeyId: keyIdOf(spki(createPublicKey(this.#key))),
        authority: false,
      },
      (bytes) => sign('sha256', bytes, this.#key),
    );
    return certificateText(der);
  }
}

/** A new key for this node. */
export function createNodeKey(): NodeKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
  return { key: pkcs8(privateKey), publicKey: spki(publicKey) };
}

/** SHA-256 of a certificate (PEM), 32 bytes. */
export function fingerprintOf(certificate: string): Uint8Array {
  return sha256(certificateBytes(certificate));
}

/** The DER form of a certificate (PEM). @throws GodwitError('corrupt') if it is none */
export function certificateBytes(certificate: string): Uint8Array {
  return parseCertificate(certificate, 'corrupt');
}

/** The PEM form of a certificate (DER). @throws GodwitError('protocol') if it is none */
export function certificateText(der: Uint8Array): string {
  const base64 = parseCertificate(der, 'protocol').toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

function parseCertificate(certificate: string | Uint8Array, code: 'corrupt' | 'protocol'): Uint8Array {
  try {
    return Uint8Array.from(new X509Certificate(certificate).raw);
  } catch (error) {
    throw new GodwitError(code, 'that is no certificate', { cause: error });
  }
}

/** The key in OpenSSL's own encoding: the bytes of a stranger do not go into a certificate as they are. */
function checkedKey(publicKey: Uint8Array): Uint8Array {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  } catch (error) {
    throw new GodwitError('protocol', 'that is no public key', { cause: error });
  }
  // A weak key would be a hole that no one sees.
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== CURVE) {
    throw new GodwitError('protocol', 'the public key is not on P-256');
  }
  return spki(key);
}

/** RFC 5280, section 4.1.2.2: positive, at most 20 bytes; random, so that no counter has to be kept. */
function serialNumber(): Uint8Array {
  const serial = Uint8Array.from(randomBytes(16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

/** RFC 7093, section 2: the leftmost 160 bits of SHA-256, here of the whole SubjectPublicKeyInfo (method 4). */
function keyIdOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).subarray(0, 20);
}

function spki(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: 'spki', format: 'der' }));
}

function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}
