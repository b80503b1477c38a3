// A process that records events under ids of its own, and says so line by line. Started again, it repeats what it was not told of.
import { openEvents } from '@sessiontree/events'
import { openPlace } from './place.ts'

const [place = '', folder = '', name = '', first = '0', count = '0'] = process.argv.slice(2)
const adapter = openPlace(place, folder)
const events = await openEvents(adapter, 's')
const WIDTH = 10
for (let at = Number(first); at < Number(count); at += WIDTH) {
  const width = Math.min(WIDTH, Number(count) - at)
  const stored = await Promise.all(
    Array.from({ length: width }, (_, i) =>
      events.recordPersisted({ id: `${name}-${at + i}`, turnId: name, type: 'step', agentName: name, content: at + i }),
    ),
  )
  process.stdout.write(stored.map(({ id, sequence }) => `${id} ${sequence}\n`).join(''))
}
await events.close()
await adapter.close()
