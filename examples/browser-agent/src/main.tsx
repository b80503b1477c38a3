import { render } from 'preact'
import { Chat } from './chat.ts'
import { App } from './view/app.tsx'

const chat = new Chat()
render(<App chat={chat} />, document.querySelector('#app') as HTMLElement)
void chat.start()
