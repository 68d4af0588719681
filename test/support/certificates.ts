import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDir } from './temp.ts'

const openssl = (directory: string, ...args: string[]) => {
  try {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  } catch (cause) {
    throw new Error('certificates of tests are made by openssl: install the package openssl', { cause })
  }
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** An authority of a test. */
export interface Authority {
  /** Its certificate, a PEM file. */
  readonly ca: string
  /** Makes a certificate for a name, such as `IP:127.0.0.1` or `DNS:localhost`, and its key: PEM files. */
  issue(name: string): { readonly cert: string; readonly key: string; readonly ca: string }
}

/** Makes an authority that nobody knows yet. */
export const createAuthority = (): Authority => {
  const directory = tempDir()
  const at = (name: string) => join(directory, name)
  const subject = ['-subj', '/CN=an authority of a test', '-days', '2']
  openssl(directory, 'req', '-x509', ...CURVE, '-keyout', 'ca.key', '-out', 'ca.crt', ...subject)
  let count = 0
  return {
    ca: at('ca.crt'),
    issue: name => {
      count += 1
      const [key, request, cert] = [`${count}.key`, `${count}.csr`, `${count}.crt`]
      writeFileSync(at(`${count}.cnf`), `subjectAltName=${name}\n`)
      openssl(directory, 'req', ...CURVE, '-keyout', key, '-out', request, '-subj', '/CN=a server of a test')
      const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1']
      openssl(directory, 'x509', '-req', '-in', request, '-out', cert, ...by, '-extfile', `${count}.cnf`)
      return { cert: at(cert), key: at(key), ca: at('ca.crt') }
    },
  }
}
