/** The browser's own databases, with a hook on every transaction that starts on one of them, before anybody else listens to it. */
export function factoryWith(onTransaction: (transaction: IDBTransaction) => void): Pick<IDBFactory, 'open'> {
  return {
    open(name, version) {
      const request = indexedDB.open(name, version)
      request.addEventListener('success', () => {
        const database = request.result
        const start = database.transaction.bind(database)
        database.transaction = (...options) => {
          const transaction = start(...options)
          onTransaction(transaction)
          return transaction
        }
      })
      return request
    },
  }
}

/** For {@link factoryWith}: a browser that knows no `getAllRecords`, as most did until 2025. */
export function withoutGetAllRecords(transaction: IDBTransaction): void {
  const open = transaction.objectStore.bind(transaction)
  transaction.objectStore = (name) => {
    const store = open(name)
    Object.defineProperty(store, 'getAllRecords', { value: undefined, configurable: true })
    return store
  }
}
