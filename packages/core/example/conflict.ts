import { SessionError, type RoleMessage, type Session } from '@sessiontree/core'

export async function answer(session: Session<RoleMessage>, id: string, message: RoleMessage) {
  try {
    return await session.append(message, { id })
  } catch (error) {
    if (SessionError.is(error, 'CONFLICT')) console.log('meanwhile:', error.entries.length)
    throw error
  }
}
