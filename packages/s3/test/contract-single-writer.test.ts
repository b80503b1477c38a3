import { registerStubSuites } from './suites.ts'

registerStubSuites('s3 (stub without conditions, one writer)', {
  pageSize: 1000,
  maxAttempts: 1,
  systems: false,
  options: { singleWriter: true },
})
