//! Somebody on the network path, between a collector and a gateway.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use flux_simulator::{Config, Simulator};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use system_tests::{Gateways, TestCollector, collector::Credential, eventually, is, throughout};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// Carries bytes to a gateway and back, writes them down, and changes them where it is told to.
struct Relay {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    changes: Arc<AtomicBool>,
    _running: AbortOnDropHandle<()>,
}

impl Relay {
    async fn to(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, changes) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicBool>::default());
        let (sees, does) = (Arc::clone(&seen), Arc::clone(&changes));
        let running = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (sees, does) = (Arc::clone(&sees), Arc::clone(&does));
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(gateway).await.unwrap();
                    let ((from_near, to_near), (from_far, to_far)) = (near.split(), far.split());
                    tokio::select! {
                        () = carry(from_near, to_far, &sees, &does) => {}
                        () = carry(from_far, to_near, &sees, &does) => {}
                    }
                });
            }
        });
        Self { address, seen, changes, _running: AbortOnDropHandle::new(running) }
    }
}

async fn carry(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    seen: &Mutex<Vec<u8>>,
    changes: &AtomicBool,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        seen.lock().unwrap().extend(&bytes[..read]);
        if changes.load(Relaxed) {
            bytes[read - 1] ^= 1;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// A broker, and the folder of its socket and of the collector's token.
async fn broker() -> (Simulator, TempDir, Credential, String) {
    let folder = TempDir::new().unwrap();
    let broker = Simulator::start(Config::new(folder.path())).await.unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, HPC).unwrap();
    let uri = format!("local://{}", broker.socket(0).display());
    (broker, folder, Credential::TokenFile(token), uri)
}

#[tokio::test]
async fn who_is_on_the_path_sees_neither_tokens_nor_numbers_and_changes_none() {
    let world = World::start(&["--interval", "100ms", "--max-age", "60s"]).await;
    let relay = Relay::to(world.gateway.ingest).await;
    let (_broker, _folder, credential, uri) = broker().await;
    let gateways = Gateways::one(relay.address);
    let _collector = TestCollector::start_as(&world.ca, gateways, &uri, &credential);
    let read = async || world.gateway.client().metric("mc0", "node_up_count").await;
    let truth = eventually("the collector reports", read).await;

    let written = |what: &str| {
        let seen = relay.seen.lock().unwrap();
        seen.windows(what.len()).any(|window| window == what.as_bytes())
    };
    assert!(written("gateway") || written("fluxgauge"), "a name in the handshake is seen");
    for secret in [HPC, "node_up_count", "authorization", "mc0"] {
        assert!(!written(secret), "{secret} is seen");
    }

    relay.changes.store(true, Relaxed);
    throughout(Duration::from_secs(2), async || assert_eq!(read().await, Ok(truth))).await;
    let seen = relay.seen.lock().unwrap().len();
    relay.changes.store(false, Relaxed);
    eventually("the collector comes again", async || {
        is(relay.seen.lock().unwrap().len() > seen + 8 * 1024)
    })
    .await;
    assert_eq!(read().await, Ok(truth));
}

#[tokio::test]
async fn who_passes_for_a_gateway_is_told_nothing() {
    let (ca, impostor, folder) = (TestCa::new(), TestCa::new(), TempDir::new().unwrap());
    impostor.write_leaf(folder.path());
    let certificate = CertificateDer::from_pem_file(folder.path().join("tls.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.path().join("tls.key")).unwrap();
    system_tests::install_crypto();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_broker, _folder, credential, uri) = broker().await;
    let _collector = TestCollector::start_as(&ca, Gateways::one(address), &uri, &credential);

    let refusals = AtomicUsize::new(0);
    let listens = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut said = Vec::new();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                // With TLS 1.3 a server has done its part before the client looks at the certificate.
                stream.read_to_end(&mut said).await.ok();
            }
            assert_eq!(said, b"", "it is told something");
            refusals.fetch_add(1, Relaxed);
        }
    };
    tokio::select! {
        () = listens => {}
        () = eventually("it was tried twice", async || is(refusals.load(Relaxed) >= 2)) => {}
    }
}
