declare module 'z32' {
  const z32: {
    encode(bytes: Uint8Array): string
    /** Throws a plain Error for a character outside the alphabet, which has no upper case. */
    decode(text: string): Uint8Array
  }
  export default z32
}
