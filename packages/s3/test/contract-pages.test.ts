import { registerStubSuites } from './suites.ts'

registerStubSuites('s3 (stub, 3 keys a page, a client that repeats)', { pageSize: 3, maxAttempts: 3, systems: false })
