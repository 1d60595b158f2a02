export { defineCommand, idCommand, runProgram } from './command.ts'
export { commonOptions, levelOf } from './common-options.ts'
export { codeOf, ignore, StopReason, UsageError } from './errors.ts'
export { EXIT, exitCodeOf } from './exit-codes.ts'
export { formatHelp, NETWORK_OPTIONS } from './help.ts'
export { networkOf } from './network-options.ts'
export { checkStorage, openProgramNode, storageOf } from './node.ts'
export { parseOptions } from './options.ts'
export { resolvePath } from './paths.ts'
export { formatTransfer, grouped } from './progress.ts'
export { run } from './run.ts'
export { Status } from './status.ts'
export { messageOf, oneLine, plural, truncate } from './text.ts'

export type { Command, CommandDefinition, ProgramOptions } from './command.ts'
export type { CommonOptions } from './common-options.ts'
export type { StopCode } from './errors.ts'
export type { HelpText } from './help.ts'
export type { NetworkChoice, NetworkValues } from './network-options.ts'
export type { NodeValues } from './node.ts'
export type {
  BooleanOption,
  Environment,
  NumberOption,
  Option,
  OptionTable,
  OptionValues,
  StringOption
} from './option-table.ts'
export type { OptionSource, ParsedOptions, Positional, PositionalValue } from './options.ts'
export type { Main, RunContext, RunOptions } from './run.ts'
export type { Progress } from './progress.ts'
export type { StatusLevel, StatusOptions, Terminal } from './status.ts'
