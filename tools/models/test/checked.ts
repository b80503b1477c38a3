import { describeViolation, explore, type Exploration, type Model, type Violation } from '../src/explore.ts'

/** Explores a model that must hold, says how large it is, and fails with the schedule that breaks it. */
export function check<State>(name: string, model: Model<State>): Exploration {
  const exploration = explore(model)
  const { states, transitions, depth, ends, violation } = exploration
  console.log(`${name}: ${states} states, ${transitions} transitions, depth ${depth}, ${ends} ends`)
  if (violation) throw new Error(describeViolation(violation))
  return exploration
}

/** Explores a model of a rule that was rejected, and prints the schedule against it; fails if there is none. */
export function counterExample<State>(name: string, model: Model<State>): Violation {
  const { states, violation } = explore(model)
  if (!violation)
    throw new Error(`${name}: all ${states} states hold; the model no longer shows why the rule was rejected`)
  console.log(`${name} loses:\n${describeViolation(violation)}`)
  return violation
}
