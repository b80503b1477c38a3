import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BrowserContext, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { chromiumPath, missing, picture, servePage, type ServedPage } from './served-page.ts'

const HOSTILE =
  '<img src=x onerror="window.hacked=1"> javascript:alert(1) [x](javascript:alert(2)) <script>window.hacked=2</script>'

describe.skipIf(missing)(`the chat page in Chromium${missing ? ` (${missing})` : ''}`, { timeout: 60_000 }, () => {
  let served: ServedPage
  let context: BrowserContext
  let page: Page
  /** What the browser complained about. */
  let complaints: string[]

  beforeAll(async () => void (served = await servePage(chromiumPath)), 120_000)
  afterAll(() => served?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    context = await served.context()
    complaints = []
    page = await open()
  }, 30_000)
  afterEach(async () => {
    await context.close()
    expect(complaints).toEqual([])
  })

  /** Opens the page; `pause` is how long the scripted model takes for a word. */
  async function open({ hash = '', pause = 2 } = {}): Promise<Page> {
    const opened = await context.newPage()
    opened.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    opened.on('pageerror', (error) => complaints.push(error.message))
    await opened.goto(`${served.url}?pause=${pause}${hash}`)
    await opened.getByText('of').first().waitFor()
    return opened
  }
  /** Gives the test time to do something in the middle of an answer. */
  async function slowly(): Promise<void> {
    await page.goto(`${served.url}?pause=40`)
    await page.getByText('of').first().waitFor()
  }
  async function ask(words: string, on = page): Promise<void> {
    await on.getByLabel('Message', { exact: true }).fill(words)
    await on.getByRole('button', { name: 'Send' }).click()
  }
  async function answered(on = page): Promise<void> {
    await on.getByRole('button', { name: 'Send' }).waitFor()
  }
  /** Asks and waits for the answer. */
  async function converse(words: string, on = page): Promise<void> {
    const before = (await messages(on)).length
    await ask(words, on)
    // There at once or in a while: the question, and the first words of the agent.
    await expect.poll(async () => (await messages(on)).length).toBeGreaterThan(before + 1)
    await answered(on)
  }
  const messages = (on = page) =>
    on.locator('.message:not(.partial) .text').evaluateAll((texts) => texts.map((text) => text.textContent))
  const hashOf = (on: Page) => new URL(on.url()).hash

  test('a streaming answer with a tool call is persisted as it happens, and there after a reload', async () => {
    await slowly()
    await ask('Where is my parcel?')
    await page.getByText('Answering …').waitFor()
    await picture(page, 'answering')
    await answered()
    const before = await messages()
    expect(before[0]).toBe('Where is my parcel?')
    expect(before.at(-1)).toMatch(/^Your parcel is on its way, last seen in Leipzig/)
    await expect.poll(() => page.locator('summary').allTextContents()).toEqual(['called track_parcel', 'result'])
    await picture(page, 'answered')
    await page.reload()
    await expect.poll(() => messages()).toEqual(before)
    // The title is of the first question; the list shows it.
    expect(await page.getByLabel('Title').inputValue()).toBe('Where is my')
    await page.locator('.sessions .title', { hasText: 'Where is my' }).waitFor()
  })

  test('a reload in the middle of an answer loses nothing that was said, and the turn can be taken up again', async () => {
    await slowly()
    await ask('Tell me something long')
    const partial = page.locator('.partial .text')
    await expect.poll(async () => ((await partial.textContent()) ?? '').split(' ').length).toBeGreaterThan(18)
    await page.reload()
    await page.getByText('The last answer was interrupted').waitFor()
    const kept = (await partial.textContent()) ?? ''
    expect(kept).toMatch(/^You said: Tell me something long/)
    await picture(page, 'interrupted')
    expect(await messages()).toEqual(['Tell me something long'])
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Answering …').waitFor()
    await answered()
    const after = await messages()
    expect(after).toHaveLength(2)
    expect(after[1]).toContain('to talk to a real model.')
  })

  test('what an interrupted turn had said can be kept as the answer', async () => {
    await slowly()
    await ask('Tell me something long')
    const partial = page.locator('.partial .text')
    await expect.poll(async () => ((await partial.textContent()) ?? '').split(' ').length).toBeGreaterThan(18)
    await page.reload()
    await page.getByRole('button', { name: 'Keep what is there' }).click()
    await expect.poll(async () => (await messages())[1]).toMatch(/^You said: Tell me something long/)
  })

  test('editing a message branches; the tree moves between the branches', async () => {
    await converse('First question')
    await page.locator('.message.user').hover()
    await page.getByRole('button', { name: 'Edit' }).click()
    await page.getByLabel('Edit message').fill('Second question')
    await page.getByRole('button', { name: 'Ask again' }).click()
    await expect.poll(() => messages()).toEqual(['Second question', expect.stringContaining('Second question')])
    await answered()
    await page.getByRole('button', { name: 'Tree' }).click()
    const rows = page.locator('.tree .preview')
    expect(await rows.allTextContents()).toHaveLength(4)
    await picture(page, 'tree')
    await page.locator('.tree button', { hasText: 'You said: First question' }).click()
    await expect.poll(() => messages()).toEqual(['First question', expect.stringContaining('You said: First question')])
    await page.reload()
    await expect.poll(async () => (await messages())[0]).toBe('First question')
  })

  test('a fork goes on by itself, its source stays', async () => {
    await converse('Shared question')
    const source = hashOf(page)
    const shared = await messages()
    await page.locator('.message.assistant').hover()
    await page.locator('.message.assistant').getByRole('button', { name: 'Fork here' }).click()
    await expect.poll(() => hashOf(page)).not.toBe(source)
    await expect.poll(() => messages()).toEqual(shared)
    await converse('Only in the fork')
    expect(await messages()).toHaveLength(4)
    await page.goto(`${served.url}?pause=2${source}`)
    await expect.poll(() => messages()).toEqual(shared)
    await page.locator('.sessions small', { hasText: 'fork' }).waitFor()
  })

  test('two tabs on one session: both see it live, only one answers, and a closed tab frees the turn at once', async () => {
    await slowly()
    await converse('First')
    const other = await open({ hash: hashOf(page), pause: 40 })
    await expect.poll(() => messages(other)).toHaveLength(2)
    await ask('Second, a long one')
    await other.getByText('Another tab is answering').waitFor()
    await expect.poll(() => other.locator('.partial .text').textContent()).toMatch(/^You said: Second/)
    await picture(other, 'other-tab')
    await ask('At the same time', other)
    await other.getByText('Another tab is answering in this session.').waitFor()
    // What was written is not lost.
    await expect.poll(() => other.getByLabel('Message', { exact: true }).inputValue()).toBe('At the same time')
    await page.close()
    // Its lock is free as soon as the browser has closed it; its lease would hold for 30 s.
    const askAgain = async () => {
      if (!(await messages(other)).includes('After it was closed')) await ask('After it was closed', other)
      await answered(other)
      return (await messages(other)).at(-1)
    }
    await expect.poll(askAgain, { timeout: 20_000 }).toContain('You said: After it was closed')
    const texts = await messages(other)
    expect(texts.filter((text) => text === 'Second, a long one')).toHaveLength(1)
    expect(texts.filter((text) => text === 'At the same time')).toHaveLength(0)
    expect(texts.at(-1)).toContain('You said: After it was closed')
  })

  test('export and import give the same session, branches included; a bad file is refused by its line', async () => {
    await converse('To be exported')
    const texts = await messages()
    const source = hashOf(page)
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const file = await (await downloading).path()
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    expect(JSON.parse(lines[0] as string)).toMatchObject({ type: 'sessiontree_export', version: 1 })
    await page.locator('input[type=file]').setInputFiles(file)
    await expect.poll(() => hashOf(page)).not.toBe(source)
    await expect.poll(() => messages()).toEqual(texts)
    const count = await page.locator('.sessions li').count()
    const broken = { name: 'broken.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(`${lines[0]}\n{"half":`) }
    await page.locator('input[type=file]').setInputFiles(broken)
    await page.getByText('Line 2 is not a JSON object.').waitFor()
    expect(await page.locator('.sessions li').count()).toBe(count)
  })

  test('transcripts are hostile text: nothing of them runs or becomes markup, and only http(s) links are links', async () => {
    await converse(HOSTILE)
    await page.getByLabel('Title').fill('<img src=x onerror="window.hacked=3">')
    await page.getByLabel('Title').press('Enter')
    await page.locator('.sessions .title', { hasText: '<img' }).waitFor()
    await converse('Where is my parcel?')
    await page.getByRole('button', { name: 'Tree' }).click()
    await picture(page, 'hostile')
    expect((await messages())[0]).toBe(HOSTILE)
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
    const addresses = await page
      .locator('.text a')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href')))
    expect(addresses).toEqual(['https://example.com/parcels/PX-2077'])
  })

  test('the content security policy keeps inline scripts from running', async () => {
    const isBlocked = await page.evaluate(
      () =>
        new Promise((resolve) => {
          addEventListener('securitypolicyviolation', ({ violatedDirective }) => resolve(violatedDirective))
          const script = document.createElement('script')
          script.textContent = 'window.hacked = 4'
          document.body.append(script)
        }),
    )
    expect(isBlocked).toBe('script-src-elem')
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
    complaints = []
  })

  test('says what is stored, and asks the browser to keep it', async () => {
    await converse('Something')
    expect(await page.locator('.storage').textContent()).toMatch(/^[\d.]+ \w?B of [\d.]+ [GT]B/)
    await page.getByRole('button', { name: 'Make persistent' }).click()
    // A browser without a profile may say no: then it says so.
    await page
      .getByText(/persistent$|did not agree/)
      .first()
      .waitFor()
  })

  test('fits a telephone: nothing sticks out, and the panels can be closed', async () => {
    await page.setViewportSize({ width: 375, height: 667 })
    await converse(`Where is ${'my'.repeat(200)} parcel?`)
    for (const name of ['Tree', 'Settings']) {
      await page.getByRole('button', { name, exact: true }).click()
      await page.getByLabel(name, { exact: true }).getByRole('heading').waitFor()
      await picture(page, `narrow-${name.toLowerCase()}`)
      await page.getByRole('button', { name: 'Close' }).click()
    }
    await page.getByRole('button', { name: 'Settings' }).click()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.panel').count()).toBe(0)
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
    expect(content).toBe(screen)
  })

  test('an address that names no session says so, and a new chat begins all the same', async () => {
    for (const hash of ['#nothing', '#%E0%A4']) {
      await page.goto(`${served.url}?pause=2${hash}`)
      await page.getByText('This session is gone.').waitFor()
    }
    await converse('Something')
    expect(await messages()).toHaveLength(2)
  })

  describe('with an OpenAI-compatible endpoint', () => {
    let server: Server
    const requests: { readonly key: string | undefined; readonly body: { messages: { role: string }[] } }[] = []

    async function answerAsModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' }
      if (request.method === 'OPTIONS') return void response.writeHead(204, headers).end()
      const body = JSON.parse(Buffer.concat(await Array.fromAsync(request)).toString())
      requests.push({ key: request.headers.authorization, body })
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' })
      const send = (delta: object) => response.write(`data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`)
      if (body.messages.at(-1).role === 'tool') {
        send({ content: 'It is in ' })
        send({ content: 'Leipzig.' })
      } else {
        send({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'track_', arguments: '{"parc' } }] })
        send({ tool_calls: [{ index: 0, function: { name: 'parcel', arguments: 'el":"A1"}' } }] })
      }
      response.end('data: [DONE]\n\n')
    }
    beforeAll(async () => {
      server = createServer((request, response) => void answerAsModel(request, response))
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    })
    afterAll(() => server.close())

    test('streams, calls tools and goes on; the key is in memory only, unless it is to be kept', async () => {
      const { port } = server.address() as AddressInfo
      const panel = page.getByLabel('Settings', { exact: true })
      await page.getByRole('button', { name: 'Settings' }).click()
      await panel.getByLabel('OpenAI-compatible address').fill('http://example.com/v1')
      await panel.getByText('has to begin with https://').waitFor()
      await panel.getByLabel('OpenAI-compatible address').fill(`http://127.0.0.1:${port}/v1`)
      await panel.getByLabel('Model').fill('test-model')
      await panel.getByLabel('Key', { exact: true }).fill('secret-key')
      await picture(page, 'settings')
      await panel.getByRole('button', { name: 'Save' }).click()
      await converse('Where is A1?')
      await expect.poll(async () => (await messages()).at(-1)).toBe('It is in Leipzig.')
      expect(requests.map(({ key }) => key)).toEqual(['Bearer secret-key', 'Bearer secret-key'])
      expect(requests[1]?.body.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
      expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('secret-key')
    })
  })
})
