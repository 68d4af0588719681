import type { Channel } from '../../schemas/wire.ts'
import type { Role } from './provider.ts'

/** What a route or a channel can ask of a principal. */
export type Permission = 'threats:read' | 'alerts:read'

const GRANTS: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['threats:read', 'alerts:read'],
  analyst: ['threats:read', 'alerts:read'],
  admin: ['threats:read', 'alerts:read'],
  auditor: [],
}

/** The permission that a subscription to a channel needs. */
export const CHANNEL_PERMISSION: Readonly<Record<Channel, Permission>> = {
  threats: 'threats:read',
  alerts: 'alerts:read',
}

/** Whether a role has a permission. What is not granted is denied. */
export const isGranted = (role: Role, permission: Permission): boolean => GRANTS[role].includes(permission)
