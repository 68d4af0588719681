/** Ports that services of every network listen on; a connection to one says little by itself. */
const COMMON = new Set([
  20, 21, 22, 23, 25, 53, 67, 68, 80, 110, 123, 135, 137, 138, 139, 143, 161, 389, 443, 445, 465, 514, 587,
  636, 993, 995, 1433, 1521, 3306, 3389, 5353, 5432, 5900, 6379, 8080, 8443,
])

/**
 * How rare a target a port is: 0 one of the common services, 1 another well-known port (below 1024), 2 a registered
 * one (below 49152), 3 a dynamic one; -1 when there is none. Ranges are those of RFC 6335, section 6.
 */
export const portClass = (port: number | null): number => {
  if (port === null || port < 0 || port > 65_535) return -1
  if (COMMON.has(port)) return 0
  if (port < 1024) return 1
  return port < 49_152 ? 2 : 3
}
