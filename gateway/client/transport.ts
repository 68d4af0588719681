/** How a connection ended. */
export interface Ended {
  /** Close code; 1006 when there was no closing handshake. */
  readonly code: number
  /** What the gateway or the connection said, for people. */
  readonly reason: string
  /** HTTP status, where the upgrade was refused and the transport can see it. */
  readonly status?: number
}

/** What comes of a connection. `ended` is called once, also when it was never opened, and nothing after it. */
export interface ConnectionEvents {
  readonly opened: () => void
  readonly message: (text: string) => void
  readonly ended: (how: Ended) => void
}

/** A WebSocket to the gateway. */
export interface Connection {
  /** Sends a message; does nothing when the connection is not open. */
  send(text: string): void
  close(): void
}

/** How a program or a page reaches the gateway. */
export interface Transport {
  /** Opens a WebSocket for the holder of an access token. Throws what is wrong with its way there. */
  connect(accessToken: string, events: ConnectionEvents): Promise<Connection>
}

/** Address of the WebSocket of a gateway. */
export const socketAddress = (url: string): URL => {
  const address = new URL('/ws', url)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  return address
}
