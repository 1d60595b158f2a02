export { atEnd } from './at-end.ts'
export { DEADLINE_MS, deadline, until } from './deadline.ts'
export { type PowerCut, cutPower, recordSyncs } from './power.ts'
export { temporary } from './temporary.ts'
