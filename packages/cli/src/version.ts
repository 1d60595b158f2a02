import { readFileSync } from 'node:fs'

/** The version in the package.json one directory above the module `url`, which is in the `dist` of a program. */
export function readVersion(url: string): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', url), 'utf8'))
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version)
  throw new Error(`no version in the package.json of ${url}`)
}
