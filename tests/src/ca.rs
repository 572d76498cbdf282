//! A certificate authority, and certificates for gateways on the loopback address.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// The names that certificates are made for. The first one stands for a Service's.
pub const SERVER_NAMES: [&str; 5] =
    ["gateway.test", "localhost", "127.0.0.1", SERVICE_NAME, INGEST_NAME];

/// What kube-apiserver calls a gateway: its Service, as `deploy/` names it.
pub const SERVICE_NAME: &str = "fluxgauge-api.fluxgauge.svc";

/// What collectors call gateways, as `deploy/` does.
pub const INGEST_NAME: &str = "fluxgauge-ingest.fluxgauge.svc";

/// An authority that clients trust. A self-signed certificate would not do: rustls refuses an
/// authority as a server's own certificate.
pub struct TestCa(CertifiedIssuer<'static, KeyPair>);

impl TestCa {
    /// A new authority, like no other.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The authority's own certificate in PEM form.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Makes a new certificate and key and writes them as `tls.crt` and `tls.key`.
    pub fn write_leaf(&self, dir: &Path) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(SERVER_NAMES.map(str::to_owned)).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().pem();
        // The key first: a pair that does not fit is not served with, so the order is free.
        fs::write(dir.join("tls.key"), key.serialize_pem()).unwrap();
        fs::write(dir.join("tls.crt"), cert).unwrap();
    }

    /// What a client needs that trusts this authority alone and speaks the protocol `alpn`.
    pub fn client_config(&self, alpn: &str) -> Arc<ClientConfig> {
        self.client_config_of(alpn, rustls::DEFAULT_VERSIONS)
    }

    /// The same for a client of these versions of TLS.
    pub fn client_config_of(
        &self,
        alpn: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        crate::install_crypto();
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Arc::new(config)
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}
