import { expect, test } from 'vitest'
import { clip, preview, visible, width } from '../src/preview.ts'

test('white space becomes one space, controls become escapes', () => {
  expect(visible('a\r\n\t b')).toBe('a b')
  expect(visible('\u001b[2J\u0007\u0000\u009b1m\u007f')).toBe('\\u001b[2J\\u0007\\u0000\\u009b1m\\u007f')
})

test('what reorders or hides text is escaped, too', () => {
  expect(visible('\u202egpj.exe')).toBe('\\u202egpj.exe')
  expect(visible('a\u200bb\u2066c\ufeffd\u{e0041}')).toBe('a\\u200bb\\u2066c d\\ue0041')
  expect(visible('\ud83d')).toBe('\\ud83d')
})

test('letters, accents, joined emoji and scripts that need joiners stay as they are', () => {
  for (const text of ['Zürich', 'e\u0301', '👩‍👩‍👧‍👦 🕰️', 'می‌خواهم', '中文']) expect(visible(text)).toBe(text)
})

test('width counts two columns for wide characters, one for an accented letter', () => {
  expect(['ab', 'e\u0301', '中', '👍🏽', '🕰️', '👩‍👩‍👧‍👦'].map(width)).toEqual([2, 1, 2, 2, 2, 2])
})

test('clip cuts between characters and never exceeds the columns', () => {
  expect(clip('abc', 3)).toBe('abc')
  expect(clip('abcd', 3)).toBe('ab…')
  expect(clip('a👍🏽b', 3)).toBe('a…')
  expect(clip('a👍🏽b', 4)).toBe('a👍🏽b')
  expect(clip('中文字', 5)).toBe('中文…')
  for (let columns = 1; columns < 12; columns++) {
    const cut = clip('x👩‍👩‍👧‍👦中e\u0301🕰️yz', columns)
    expect(width(cut)).toBeLessThanOrEqual(columns)
    expect(cut.isWellFormed()).toBe(true)
  }
})

test('preview looks at the beginning only and does not split a surrogate pair there', () => {
  const cut = preview(`${'a'.repeat(1999)}👍`, 5000)
  expect(cut).toBe(`${'a'.repeat(1999)}…`)
  expect(preview('x'.repeat(10_000_000), 5)).toBe('xxxx…')
})

test('a letter with hundreds of accents does not spill over', () => {
  expect(preview(`a${'\u0301'.repeat(500)}b`, 10)).toBe('\ufffdb')
})
