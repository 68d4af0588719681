import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { tempDir } from './temp.ts'

/** Makes a key and a certificate of 127.0.0.1, signed by itself; resolves with their files, PEM. */
export const makeCertificate = (): { readonly key: string; readonly certificate: string } => {
  const folder = tempDir()
  const [key, certificate] = [join(folder, 'server.key'), join(folder, 'server.crt')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', key, '-out', certificate]
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]
  execFileSync('openssl', args, { stdio: 'ignore' })
  return { key, certificate }
}
