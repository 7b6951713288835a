//! What holds for any keys and any text.

use proptest::prelude::*;

use super::Editor;
use super::Event;
use super::feed;
use super::feed_at_once;
use super::line;
use super::look;
use super::rows::check_row;

/// Text with everything that is hard to draw.
fn hard_text() -> impl Strategy<Value = String> {
    let hard = [
        "a",
        "1",
        " ",
        "<",
        "日",
        "e\u{301}",
        "\u{301}",
        "\u{200d}",
        "\u{200c}",
        "\u{fe0f}",
        "\u{fe0e}",
        "❤",
        "👩",
        "🏽",
        "🇩",
        "🇪",
        "\u{1100}",
        "\u{1161}",
        "\u{11a8}",
        "ل",
        "ا",
        "\x1b",
        "\t",
        "\n",
        "\r",
        "\u{9b}",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\u{e0041}",
        "🏴",
        "\u{2028}",
        "\u{ad}",
        "\u{17d2}",
        "\u{915}\u{94d}",
        "\u{20e3}",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(hard.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Bytes of which many are keys, whole or not.
fn any_keys() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "a",
        "b c",
        "/x",
        "é",
        "日",
        "e\u{301}",
        "👩\u{200d}👧",
        "🇩🇪",
        "\r",
        "\n",
        "\t",
        "\x01",
        "\x02",
        "\x04",
        "\x06",
        "\x0b",
        "\x0e",
        "\x10",
        "\x14",
        "\x15",
        "\x16",
        "\x17",
        "\x19",
        "\x7f",
        "\x1b",
        "\x1bb",
        "\x1bd",
        "\x1b\x7f",
        "\x1b[",
        "\x1b[A",
        "\x1b[D",
        "\x1b[1;5D",
        "\x1b[3~",
        "\x1bO",
        "\x1bOH",
        "\x1b[[",
        "\x1b]1",
        "\x07",
        "\x1b\\",
        "\x1bP>",
        "\x1b[200~",
        "\x1b[201~",
        "[2",
        "~",
    ];
    let piece = prop_oneof![
        10 => prop::sample::select(known.to_vec()).prop_map(|keys| keys.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Cut anywhere but directly behind an Esc, the same keys make the same events and line.
    #[test]
    fn cuts_do_not_matter(
        keys in any_keys(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut whole = Editor::new();
        let expected = feed_at_once(&mut whole, &[&keys]);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(keys.len() + 1)).collect();
        cuts.retain(|&cut| cut == 0 || keys[cut - 1] != 0x1b);
        cuts.sort_unstable();
        let mut editor = Editor::new();
        let mut events = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([keys.len()]) {
            events.extend(feed_at_once(&mut editor, &[&keys[start..cut]]));
            start = cut;
        }
        prop_assert_eq!(events, expected);
        prop_assert_eq!(look(&editor), look(&whole));
        // What is held and what is remembered is the same as well.
        let more: &[u8] = b"[D~\x10x\x19\x0e";
        prop_assert_eq!(feed_at_once(&mut editor, &[more]), feed_at_once(&mut whole, &[more]));
        prop_assert_eq!(look(&editor), look(&whole));
    }

    /// However the keys are cut, also behind an Esc, text that holds no control character and
    /// follows an Enter is sent as it is.
    #[test]
    fn no_key_is_lost_to_what_came_before(keys in any_keys(), size in 1..5_usize) {
        let mut editor = Editor::new();
        let pieces: Vec<&[u8]> = keys.chunks(size).collect();
        feed(&mut editor, &pieces);
        // A paste may not be over, and a Ctrl-V may be waiting for the first Enter.
        feed(&mut editor, &[b"\x1b[201~", b"\r\r"]);
        prop_assert_eq!(feed(&mut editor, &[b"hello\r"]), vec![line("hello")]);
    }

    /// No line has a line feed, and the row is always a safe one.
    #[test]
    fn lines_are_lines_and_rows_are_rows(keys in any_keys(), columns in 0..50_u16) {
        let mut editor = Editor::new();
        for event in feed(&mut editor, &[&keys]) {
            if let Event::Line(line) | Event::Pasted(line) = event {
                prop_assert!(!line.contains('\n'));
            }
        }
        check_row("> ", editor.text(), editor.before_cursor().len(), columns);
    }

    /// Whatever the text, the row is safe and fits.
    #[test]
    fn every_row_is_safe_and_fits(
        prompt in hard_text(),
        text in hard_text(),
        cursor in any::<prop::sample::Index>(),
        columns in 0..100_u16,
    ) {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        check_row(&prompt, &text, ends[cursor.index(ends.len())], columns);
    }
}
