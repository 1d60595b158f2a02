declare module 'sodium-universal' {
  /** Writes the scalar of a secret key of 64 bytes to `scalar`. */
  export function extension_tweak_ed25519_sk_to_scalar(scalar: Uint8Array, secretKey: Uint8Array): void
  /** Writes the key pair that `namespace` derives from `scalar`. */
  export function extension_tweak_ed25519_keypair(
    publicKey: Uint8Array,
    derived: Uint8Array,
    scalar: Uint8Array,
    namespace: Uint8Array
  ): void
  /** Writes the public key that `namespace` derives from `publicKey`. Throws if that is not a point of the curve. */
  export function extension_tweak_ed25519_pk(
    derived: Uint8Array,
    publicKey: Uint8Array,
    namespace: Uint8Array
  ): void
  export function extension_tweak_ed25519_sign_detached(
    signature: Uint8Array,
    message: Uint8Array,
    scalar: Uint8Array,
    publicKey: Uint8Array
  ): void
}
