import { defineConfig } from 'vitest/config'

const conditions = ['@sessiontree/source']

// Run by ../vitest.test.ts only: its outcomes, failures included, are what that test expects.
export default defineConfig({
  cacheDir: '../../node_modules/.vite',
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['*.fixture.ts'], root: import.meta.dirname },
})
