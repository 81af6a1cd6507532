/** `authenticate(credential)`: what an API key or a signed token grants, or null. A key has no dot in it. */
export function authenticator({ keys, tokens }) {
  return (credential) => {
    if (!credential?.includes('.')) {
      return keys.find(credential);
    }
    try {
      return tokens.verify(credential);
    } catch {
      return null;
    }
  };
}
