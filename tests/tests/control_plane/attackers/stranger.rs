//! A stranger on the network, with tokens that it has made up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::task::JoinSet;

use super::*;

/// Tokens in one round of a flood, each on a connection or a stream of its own.
const FLOOD: usize = 200;

/// A token that looks like one of Kubernetes', and is of nobody.
fn bad(number: usize) -> String {
    let claims = json!({"aud": ["https://kubernetes.default.svc"], "jti": number}).to_string();
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[tokio::test]
async fn a_flood_of_bad_tokens_disturbs_neither_autoscalers_nor_readers_nor_collectors() {
    let Some(world) = World::start().await else { return };
    let mut bystander = world.bystander().await;
    world.add_view_role().await;
    let reader = ["create", "serviceaccount", "reader", "--namespace=hpc"];
    world.plane().kubectl(&reader).await.unwrap();
    let bind = [
        "create",
        "rolebinding",
        "reads",
        "--namespace=hpc",
        "--clusterrole=fluxgauge-view",
        "--serviceaccount=hpc:reader",
    ];
    world.plane().kubectl(&bind).await.unwrap();
    let path = metric("hpc", "miniclusters.flux-framework.org/mc0");
    let worker = world.token(&world.pod("hpc", "mc0", 1).await).await;
    let near = world.gateway().client();
    let far = near.from(ELSEWHERE);

    for round in 0..3 {
        // Tokens that the gateway has not seen: it asks whose they are, beside all the others.
        let token = ["create", "token", "reader", "--namespace=hpc"];
        let token = world.plane().kubectl(&token).await.unwrap();
        let mut flood = JoinSet::new();
        for nth in 0..FLOOD {
            let (client, path) = (far.clone(), path.clone());
            let bad = bad(round * FLOOD + nth);
            flood.spawn(async move {
                let mut request = get(&path);
                request
                    .headers_mut()
                    .insert("authorization", format!("Bearer {bad}").parse().unwrap());
                client.send(request).await.map(|answer| answer.status).unwrap_or(500)
            });
        }
        let channel = world.gateway().channel_from(ELSEWHERE).await;
        for nth in 0..FLOOD {
            let (channel, bad) = (channel.clone(), bad((round + 10) * FLOOD + nth));
            flood.spawn(async move {
                let hello = hello("hpc", "mc0", 0);
                let refused = FakeCollector::connect_with(channel, hello, Some(&bad)).await;
                let code = refused.expect_err("it is let in").code();
                assert!(matches!(code, Code::Unauthenticated | Code::ResourceExhausted), "{code}");
                401
            });
        }
        bystander
            .beside(async {
                eventually("a reader with a new token reads", async || {
                    world.read_by(near, &path, token.trim()).await.value()
                })
                .await;
                let channel = world.gateway().channel().await;
                let hello = hello("hpc", "mc0", 1);
                let worker = FakeCollector::connect_with(channel, hello, Some(&worker)).await;
                worker.expect("another collector comes").leave().await;
                while let Some(status) = flood.join_next().await {
                    assert!(matches!(status.unwrap(), 401 | 500), "nobody reads by a bad token");
                }
            })
            .await;
    }
}
