import { openSessions, SessionError, type RoleMessage, type Session, type StorageAdapter } from '@sessiontree/core'
import { short, textOf, type Attempts } from './session-attempts.ts'
import type { World } from './world.ts'

/**
 * Says what is wrong with a session after a schedule: acknowledged ⊆ recovered ⊆ attempted, each once, batches whole, what failed
 * absent, digests right, and one more append goes through.
 */
export async function judgeSession(
  world: World,
  adapter: StorageAdapter,
  id: string,
  attempts: Attempts,
): Promise<void> {
  const mayLose = world.faults.has('failed flush')
  if (mayLose && attempts.isDeleted === 'no') await judgeSalvage(world, adapter, attempts)
  const random = world.random.fork()
  // Not closed here: that would close the adapter, which has another session to judge.
  const sessions = openSessions(adapter, { clock: world.time, random })
  let session: Session<RoleMessage>
  try {
    session = await sessions.open(id)
    if (attempts.isDeleted === 'yes') world.violate(`session ${id} was deleted and can be opened`)
  } catch (error) {
    if (SessionError.is(error, 'NOT_FOUND') && !attempts.isCreated) return
    if (SessionError.is(error, 'DELETED') && attempts.isDeleted !== 'no') return judgeDeleted(world, adapter, id)
    if (!mayLose) world.violate(`session ${id} was opened before and cannot be now: ${String(error)}`)
    return
  }
  try {
    await session.repair()
    await judgeEntries(world, session, attempts)
    for (const [key, fate] of attempts.updates) {
      const isThere = Object.hasOwn(session.metadata, key)
      if (fate === 'acknowledged' && !isThere && !mayLose) lose(world, `update ${key} of ${id}`)
      if (fate === 'failed' && isThere) world.violate(`update ${key} of ${id} failed for certain, and is there`)
    }
    const { problems } = await session.verify()
    // Bytes that a failed flush lost are missing; anything else would be another thing than what was written.
    const isSound = problems.every(({ kind }) => mayLose && kind === 'missing')
    if (!isSound) world.violate(`verify of ${id}: ${problems.map(({ message }) => message).join(' ')}`)
    await session.append({ role: 'user', content: 'afterwards' }, { onConflict: 'rebase' })
  } catch (error) {
    if (!mayLose) world.violate(`session ${id} cannot be judged: ${String(error)}`)
  }
}

/** After a sweep nothing is left of it but that it was. */
async function judgeDeleted(world: World, adapter: StorageAdapter, id: string): Promise<void> {
  const sessions = openSessions(adapter, { clock: world.time, random: world.random.fork() })
  const { failed } = await sessions.sweep()
  const mayLose = world.faults.has('failed flush')
  for (const { name, code } of failed)
    if (!mayLose || code !== 'CORRUPT') world.violate(`a last sweep fails: ${code} at ${name}`)
  for await (const { id: listed } of sessions.list()) if (listed === id) world.violate(`${id} is deleted and listed`)
  for await (const logs of adapter.logs(`session/${id}`)) {
    for (const log of logs) {
      for await (const _ of adapter.read(log, { salvage: true })) {
        world.violate(`${id} is deleted and swept, and ${log} holds records`)
        break
      }
    }
  }
}

async function judgeEntries(world: World, session: Session<RoleMessage>, { appends }: Attempts): Promise<void> {
  const found: string[] = []
  const ids = new Set<string>()
  for await (const entry of session.entries()) {
    // What a repair put in place of a record that it could not read.
    if ((entry.type as string) === 'lost') continue
    found.push(textOf(entry))
    if (ids.has(entry.id)) world.violate(`id ${entry.id} is twice in ${session.id}`)
    ids.add(entry.id)
  }
  const attempted = new Set(appends.flatMap(({ texts }) => texts))
  for (const [at, text] of found.entries()) {
    if (!attempted.has(text)) world.violate(`${session.id} holds ${short(text)}, which nobody appended`)
    if (found.indexOf(text) !== at) world.violate(`${session.id} holds ${short(text)} twice`)
  }
  for (const { texts, fate } of appends) {
    const at = found.indexOf(texts[0] as string)
    const there = texts.filter((text) => found.includes(text))
    const isWhole = there.length === texts.length && texts.every((text, i) => found[at + i] === text)
    if (there.length > 0 && !isWhole)
      world.violate(`of the batch ${short(texts[0])}, ${there.length} of ${texts.length} are there`)
    if (fate === 'acknowledged' && !isWhole) lose(world, `${short(texts[0])} of ${session.id}`)
    if (fate === 'failed' && there.length > 0)
      world.violate(`${short(texts[0])} failed for certain, and is in ${session.id}`)
  }
}

/** Where a flush failed, a log may have a gap; but nothing that was acknowledged is in it. */
async function judgeSalvage(world: World, adapter: StorageAdapter, { appends }: Attempts): Promise<void> {
  const found = new Set<string>()
  for await (const logs of adapter.logs('')) {
    for (const log of logs) {
      for await (const { records } of adapter.read(log, { salvage: true })) {
        for (const record of records) found.add(String((JSON.parse(record) as Stored).message?.content))
      }
    }
  }
  for (const { texts, fate, session } of appends) {
    const isWhole = texts.every((text) => found.has(text))
    if (fate === 'acknowledged' && !isWhole) lose(world, `${short(texts[0])} of ${session}`)
  }
}

interface Stored {
  readonly message?: { readonly content?: unknown }
}

function lose(world: World, what: string): void {
  world.counts.lost++
  world.violate(`${what} was acknowledged and is lost`)
}
