/** What a link of Godwit uses too (src/link/tls.ts), so that the baseline differs only in what is not there. */
export const TLS_SETTINGS = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384',
  highWaterMark: 1024 * 1024,
} as const;
