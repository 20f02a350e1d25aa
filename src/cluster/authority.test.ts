import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { nodeId } from '../base/ids.ts';
import { nodeOfSubject } from '../link/identity.ts';
import { Authority, certificateBytes, certificateText, createNodeKey, fingerprintOf } from './authority.ts';

test('a certificate says which node of which cluster, for both ends of a connection and all times', () => {
  const authority = Authority.create('c0ffee');
  const { key, publicKey } = createNodeKey();
  const certificate = new X509Certificate(new Authority(authority.record).certify(nodeId(32_767), publicKey));
  const issuer = new X509Certificate(authority.record.certificate);

  assert.equal(certificate.subject, 'O=c0ffee\nCN=node-32767');
  assert.equal(nodeOfSubject(certificate.subject, 'c0ffee'), 32_767);
  assert.equal(nodeOfSubject(certificate.subject, 'c0ffe'), null);
  assert.equal(nodeOfSubject(issuer.subject, 'c0ffee'), null);
  assert(certificate.checkPrivateKey(createPrivateKey(key)));
  assert(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
  assert(issuer.checkIssued(issuer) && issuer.verify(issuer.publicKey));
  assert.deepEqual([issuer.ca, certificate.ca], [true, false]);
  // serverAuth, clientAuth
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  assert.equal(certificate.validFromDate.getTime(), 0);
  assert.equal(certificate.validToDate.getUTCFullYear(), 9999);
});

test('no two certificates have the same serial number', () => {
  const authority = Authority.create('c0ffee');
  const { publicKey } = createNodeKey();
  const serials = Array.from(
    { length: 20 },
    () => new X509Certificate(authority.certify(nodeId(1), publicKey)).serialNumber,
  );
  assert.equal(new Set(serials).size, serials.length);
});

test('names that only look like those of a node are none', () => {
  for (const subject of [
    'O=c0ffee\nCN=node-0',
    'O=c0ffee\nCN=node-32768',
    'O=c0ffee\nCN=node-01',
    'CN=node-1',
    'O=c0ffee\nCN=node-1\nCN=node-2',
  ]) {
    assert.equal(nodeOfSubject(subject, 'c0ffee'), null, subject);
  }
});

test('PEM and DER are the same certificate', () => {
  const { certificate } = Authority.create('c0ffee').record;
  assert.equal(certificateText(certificateBytes(certificate)), certificate);
  assert.equal(
    fingerprintOf(certificate).toHex(),
    new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase(),
  );
  assert.throws(() => certificateText(Uint8Array.of(1, 2, 3)), { code: 'protocol' });
  assert.throws(() => certificateBytes('nothing'), { code: 'corrupt' });
});

test('only keys on P-256 are certified', () => {
  const authority = Authority.create('c0ffee');
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const other = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
  for (const key of [weak, other]) {
    const der = createPublicKey(key.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' });
    assert.throws(() => authority.certify(nodeId(1), der), { code: 'protocol' });
  }
});

test('a damaged key of the authority is named', () => {
  const { record } = Authority.create('c0ffee');
  assert.throws(() => new Authority({ ...record, key: 'rubbish' }), { code: 'corrupt' });
});
