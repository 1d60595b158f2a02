/** The number of lines of the batch that starts at `position`: 1 to 3,000, in both cores. */
export function countAt(position: number): number {
  return 1 + ((position * 7919) % 3000)
}

export function lineAt(position: number): string {
  return position % 3 === 0 ? `${position % 1000}\n` : `line ${position}\n`
}
