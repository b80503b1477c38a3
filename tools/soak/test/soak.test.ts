import { describe, expect, test } from 'vitest'
import { PROFILES, type ProfileName } from '../src/profiles.ts'
import { run, type Run, type RunOptions } from '../src/soak.ts'
import { Summary } from '../src/summary.ts'
import { TARGETS, type TargetName } from '../src/targets.ts'

const SEEDS: Readonly<Record<TargetName, number>> = {
  memory: 60,
  'node-fs-simulated': 120,
  'node-fs': 20,
  's3-stub': 30,
}

/** Fails with every seed that found something, and how to run it again. */
function expectSound({ seed, violations, profile, schedule }: Run, target: TargetName): void {
  if (violations.length === 0) return
  throw new Error(
    [
      `seed ${seed} (${profile}, ${schedule})`,
      ...violations,
      `replay: npm run soak -- --target ${target} --seed ${seed} --runs 1 --trace`,
    ].join('\n'),
  )
}

describe.each(Object.keys(TARGETS) as TargetName[])('%s', (target) => {
  test(`${SEEDS[target]} seeds: what was acknowledged is there, once, and nothing else`, async () => {
    const summary = new Summary(target)
    for (let seed = 1; seed <= SEEDS[target]; seed++) {
      const result = await run({ seed, target })
      summary.add(result)
      expectSound(result, target)
    }
    console.log(summary.text())
    expect(summary.acknowledged).toBeGreaterThan(SEEDS[target])
  }, 120_000)

  test('a seed replays exactly', async () => {
    for (const profile of Object.keys(PROFILES) as ProfileName[]) {
      for (const schedule of ['store', 'sessions'] as const) {
        const options: RunOptions = { seed: 7, target, profile, schedule }
        const lines: string[] = []
        const first = await run({ ...options, onEvent: (line) => lines.push(line) })
        const second = await run(options)
        expect(second.digest, `${profile}, ${schedule}`).toBe(first.digest)
        expect((await run({ ...options, seed: 8 })).digest).not.toBe(first.digest)
        expect(lines.length).toBeGreaterThan(100)
      }
    }
  }, 120_000)
})
