/** An npm registry on this machine with one package. */
export interface Registry extends AsyncDisposable {
  /** What `.npmrc` has to say of it. */
  npmrc: string;
}

/** Serves an archive that `deno task pack` has made. */
export function registryWith(archive: Uint8Array<ArrayBuffer>, manifest: {
  name: string;
  version: string;
}): Registry {
  const { name, version } = manifest;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, origin } = new URL(request.url);
    if (pathname.endsWith(".tgz")) return new Response(archive);
    if (decodeURIComponent(pathname) !== `/${name}`) return new Response("{}", { status: 404 });
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", archive));
    const dist = { tarball: `${origin}/package.tgz`, integrity: `sha512-${digest.toBase64()}` };
    return Response.json({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
    });
  });
  return {
    npmrc: `${name.split("/")[0]}:registry=http://127.0.0.1:${server.addr.port}/\n`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
