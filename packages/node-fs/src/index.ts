export { nodeFs, type NodeFsOptions } from './node-fs.ts'
