/** What the model is told about the tools, in the shape of OpenAI's API. */
export const toolDefinitions: readonly object[] = [
  {
    type: 'function',
    function: {
      name: 'track_parcel',
      description: 'Looks up where a parcel is.',
      parameters: { type: 'object', properties: { parcel: { type: 'string' } }, required: ['parcel'] },
    },
  },
]

const TOOL_PAUSE = 300

/** Runs a tool and resolves with its result as text. What goes wrong is a result too: the model can say so. */
export async function runTool(name: string, input: string): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, TOOL_PAUSE))
  if (name !== 'track_parcel') return JSON.stringify({ error: `there is no tool ${name}` })
  try {
    const { parcel } = JSON.parse(input) as { parcel?: unknown }
    return JSON.stringify({ parcel, status: 'on its way', city: 'Leipzig', url: 'https://example.com/parcels/PX-2077' })
  } catch {
    return JSON.stringify({ error: 'the arguments are not JSON' })
  }
}
