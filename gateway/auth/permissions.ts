import type { Channel } from '../../schemas/wire.ts'

/** What a route or a channel can ask of a principal. */
export const PERMISSIONS = [
  'threats:read',
  'alerts:read',
  'alerts:triage',
  'suppressions:read',
  'suppressions:write',
  'entities:delete',
  'models:read',
  'models:promote',
  'retraining:start',
  'dead-letters:read',
  'dead-letters:replay',
  'system:read',
  'users:read',
  'users:write',
  'sessions:end',
  'keys:read',
  'keys:write',
  'signing-keys:rotate',
  'audit:read',
] as const

/** One of {@link PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number]

/** Every role that a user can have. */
export const ROLES = ['viewer', 'analyst', 'admin', 'auditor'] as const

/** What a user is. */
export type Role = (typeof ROLES)[number]

/** What each role may do. What is not granted is denied. */
export const GRANTS: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['threats:read', 'alerts:read', 'models:read', 'system:read'],
  analyst: [
    'threats:read',
    'alerts:read',
    'alerts:triage',
    'suppressions:read',
    'suppressions:write',
    'models:read',
    'dead-letters:read',
    'system:read',
  ],
  admin: PERMISSIONS,
  auditor: ['suppressions:read', 'models:read', 'system:read', 'users:read', 'keys:read', 'audit:read'],
}

/** What a program may be given: it reads, and looks after alerts. What changes who may do what needs a person. */
export const SERVICE_SCOPES = [
  'threats:read',
  'alerts:read',
  'alerts:triage',
  'suppressions:read',
  'suppressions:write',
  'models:read',
  'system:read',
  'users:read',
  'audit:read',
] as const satisfies readonly Permission[]

/** The permission that a subscription to a channel needs. */
export const CHANNEL_PERMISSION: Readonly<Record<Channel, Permission>> = {
  threats: 'threats:read',
  alerts: 'alerts:read',
  models: 'models:read',
  system: 'system:read',
}

/** Whether a text names a permission. */
export const isPermission = (text: string): text is Permission =>
  (PERMISSIONS as readonly string[]).includes(text)

/** Whether somebody has a permission. */
export const isGranted = (
  principal: { readonly grants: readonly Permission[] },
  permission: Permission,
): boolean => principal.grants.includes(permission)
