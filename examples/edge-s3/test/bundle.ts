import { fileURLToPath } from 'node:url'
import { rolldown, type OutputChunk, type Plugin } from 'rolldown'

/** The worker as one module, with what it imports in the browser's build, as it would be deployed. */
export async function bundleWorker(): Promise<OutputChunk> {
  const build = await rolldown({
    input: fileURLToPath(new URL('../src/worker.ts', import.meta.url)),
    platform: 'browser',
    plugins: [ownXmlParser],
    resolve: { conditionNames: ['@sessiontree/source', 'workerd', 'worker', 'browser', 'import'] },
  })
  try {
    const { output } = await build.generate({ format: 'esm', codeSplitting: false })
    return output[0]
  } finally {
    await build.close()
  }
}

/** The AWS SDK's build for browsers reads XML with their DOMParser, which workerd lacks; the SDK's other parser is plain JavaScript. */
const ownXmlParser: Plugin = {
  name: 'own-xml-parser',
  load: {
    filter: { id: /xml-builder\/dist-es\/xml-parser\.browser\.js$/ },
    handler: () => "export { parseXML } from './xml-parser.js'",
  },
}
