//! TLS for connections that we open: one provider of cryptography for all of them.

/// Makes *ring* the process's provider. Call it before an HTTP client is built; a second call, or
/// another provider that was installed before, changes nothing.
pub fn install_provider() {
    // An error means that there is one already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}
