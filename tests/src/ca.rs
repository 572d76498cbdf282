//! A certificate authority, and certificates for gateways on the loopback address.

use std::{fs, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use serde_json::Value;

/// The names that certificates are made for. The first one stands for a Service's.
pub const SERVER_NAMES: [&str; 5] =
    ["gateway.test", "localhost", "127.0.0.1", SERVICE_NAME, INGEST_NAME];

/// What kube-apiserver calls a gateway: its Service, as `deploy/` names it.
pub const SERVICE_NAME: &str = "fluxgauge-api.fluxgauge.svc";

/// What collectors call gateways, as `deploy/` does.
pub const INGEST_NAME: &str = "fluxgauge-ingest.fluxgauge.svc";

/// A certificate of a client, and its key.
#[derive(Clone)]
pub struct ClientPair {
    certificate: CertificateDer<'static>,
    /// In PEM form.
    text: String,
    key: Arc<KeyPair>,
}

impl ClientPair {
    /// The certificate in PEM form.
    pub fn pem(&self) -> &str {
        &self.text
    }

    /// The key in PEM form.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The one that a kubeconfig of a control plane names.
    pub fn of_kubeconfig(kubeconfig: &Path) -> Self {
        let config: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
        let user = &config["users"][0]["user"];
        let pem = |name: &str| fs::read_to_string(user[name].as_str().unwrap()).unwrap();
        let certificate = pem("client-certificate");
        Self {
            certificate: CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap(),
            key: Arc::new(KeyPair::from_pem(&pem("client-key")).unwrap()),
            text: certificate,
        }
    }
}

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

    /// Makes a certificate that proves a client's name, and a key.
    pub fn client(&self, name: &str) -> ClientPair {
        self.client_with(name, |_| {})
    }

    /// The same with a certificate that `change` makes another.
    pub fn client_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> ClientPair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let (text, certificate) = (certificate.pem(), certificate.der().clone());
        ClientPair { certificate, text, key: Arc::new(key) }
    }

    /// Makes a certificate of a client that is named by a URI.
    pub fn client_of_uri(&self, uri: &str) -> ClientPair {
        let uri = SanType::URI(uri.try_into().unwrap());
        self.client_with("a collector", |params| params.subject_alt_names.push(uri))
    }

    /// What a client needs that trusts this authority alone and speaks the protocol `alpn`.
    pub fn client_config(&self, alpn: &str) -> Arc<ClientConfig> {
        self.client_config_of(alpn, rustls::DEFAULT_VERSIONS, None)
    }

    /// The same for a client of these versions of TLS, which may show a certificate.
    pub fn client_config_of(
        &self,
        alpn: &str,
        versions: &[&'static SupportedProtocolVersion],
        pair: Option<&ClientPair>,
    ) -> Arc<ClientConfig> {
        client_config(&self.pem(), alpn, versions, pair)
    }
}

/// What a client needs that trusts the authorities of this bundle alone.
pub fn client_config(
    bundle: &str,
    alpn: &str,
    versions: &[&'static SupportedProtocolVersion],
    pair: Option<&ClientPair>,
) -> Arc<ClientConfig> {
    crate::install_crypto();
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(authority.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_protocol_versions(versions);
    let config = config.with_root_certificates(roots);
    let mut config = match pair {
        None => config.with_no_client_auth(),
        Some(ClientPair { certificate, key, .. }) => {
            let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            config.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
        }
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Arc::new(config)
}

/// What a kubelet needs to probe: it trusts whoever answers.
pub fn prober_config() -> Arc<ClientConfig> {
    crate::install_crypto();
    let config = ClientConfig::builder().dangerous();
    let config = config.with_custom_certificate_verifier(Arc::new(AnyServer));
    Arc::new(config.with_no_client_auth())
}

/// Takes any certificate of a server.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}
