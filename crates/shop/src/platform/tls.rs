//! TLS for connections that we open: one provider of cryptography for all of them.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// Makes *ring* the process's provider. Call it before an HTTP client is built; a second call, or
/// another provider that was installed before, changes nothing.
pub fn install_provider() {
    // An error means that there is one already.
    let _installed = ring::default_provider().install_default();
}

/// What connections to other people's servers speak: this machine's certificates say whom to
/// trust. Where it has none every handshake fails, and the log says why.
pub fn client_config() -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the usual versions");
    match builder.clone().with_platform_verifier() {
        Ok(verified) => verified.with_no_client_auth(),
        Err(error) => {
            tracing::error!(%error, "no certificates on this machine: https cannot be used");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
}
