import { defineConfig } from 'vite'

// The sources of the workspace's packages: no build of them is needed.
export default defineConfig({
  base: './',
  resolve: { conditions: ['@sessiontree/source', 'module', 'browser', 'import', 'default'] },
  build: { target: 'es2022', modulePreload: { polyfill: false } },
})
