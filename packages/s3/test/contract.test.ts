import { registerStubSuites } from './suites.ts'

// Events, ledgers and invocations ask nothing of a store that the others do not: once on a stub, and on the server.
registerStubSuites('s3 (stub)', { pageSize: 1000, maxAttempts: 1, systems: true })
