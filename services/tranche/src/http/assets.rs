//! The files of the page, in the program itself. Their names carry the hash of their content, so that
//! a browser may keep them for ever.

use super::problem::Problem;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::kernel::canonical::Sha256Hex;
use maud::{Markup, html};
use std::sync::LazyLock;

/// A file.
pub struct Asset {
    /// Where it is served.
    pub path: String,
    content: &'static str,
    media: &'static str,
}

impl Asset {
    fn new(name: &str, suffix: &str, content: &'static str, media: &'static str) -> Self {
        let digest = Sha256Hex::of(content.as_bytes()).to_string();
        let path = format!("/assets/{name}-{}.{suffix}", digest.get(..16).unwrap_or_default());
        Self { path, content, media }
    }
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page", "css", include_str!("../../assets/page.css"), "text/css; charset=utf-8")
});

/// The script.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let media = "text/javascript; charset=utf-8";
    Asset::new("page", "js", include_str!("../../assets/page.js"), media)
});

/// The sign in the browser's tab.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("mark", "svg", include_str!("../../assets/mark.svg"), "image/svg+xml")
});

/// `GET /assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let path = format!("/assets/{name}");
    let found = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.path == path);
    match found {
        Some(asset) => {
            let kept = "public, max-age=31536000, immutable";
            ([(CONTENT_TYPE, asset.media), (CACHE_CONTROL, kept)], asset.content).into_response()
        }
        None => Problem::own("http.not_found", "no such file").into_response(),
    }
}

/// The sign in the heading: three tranches.
#[must_use]
pub fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" aria-hidden="true" {
            rect x="2" y="3" width="20" height="4.5" rx="1.5" {}
            rect x="2" y="9.75" width="14" height="4.5" rx="1.5" opacity="0.75" {}
            rect x="2" y="16.5" width="8" height="4.5" rx="1.5" opacity="0.5" {}
        }
    }
}
