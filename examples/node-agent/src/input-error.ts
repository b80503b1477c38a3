/** Something in what the caller typed or in the file given; its message is one line that says what to do. */
export class InputError extends Error {
  override readonly name = 'InputError'
}
