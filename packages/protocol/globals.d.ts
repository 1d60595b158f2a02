// What every runtime has and no ECMAScript lib of TypeScript declares. Seen by this package's sources only.

declare class TextDecoder {
  constructor(label?: 'utf-8', options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean })
  decode(input?: Uint8Array): string
}
