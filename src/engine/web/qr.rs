//! A QR code (ISO/IEC 18004) of an address, in half blocks of a terminal.

use qrcode::EcLevel;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The rows of a code, with the margin that readers need. Dark modules are blanks: a terminal's text is
/// mostly lighter than its ground, and readers know both. None: the text is too long for one.
pub fn rows(text: &str) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let image = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    Some(image.lines().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_small_and_square() {
        let rows = rows("http://192.0.2.7:8080/").unwrap();
        let widths: Vec<usize> = rows.iter().map(|row| row.chars().count()).collect();
        // 25 modules and four on each side, two of them in each row of text.
        assert_eq!(widths, [33; 17]);
        assert!(rows[0].chars().all(|c| c == '█'), "{rows:?}");
    }
}
