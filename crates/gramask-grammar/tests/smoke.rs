use gramask_grammar::*;
use gramask_ner::*;
use std::sync::Arc;

fn bytes_vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|b| Token::new([b])).collect();
    for w in ["\",\"", "Na", "lox", "one", " re", "verses", "</", "><", "\"}", "O O", "(B-", "Chem", "ical", "[]", " (", "\"]"] {
        tokens.push(Token::new(w));
    }
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

#[test]
fn writes_reads_and_masks() {
    let schema = Schema::new(["Chemical", "Disease"]);
    let text = Text::new("Naloxone reverses the antihypertensive effect of [naloxone] & clonidine \"x\".");
    let entities = vec![Entity::new("Chemical", 0, 8), Entity::new("Chemical", 50, 58), Entity::new("Chemical", 62, 71), Entity::new("Disease", 22, 38)];
    let vocabulary = bytes_vocabulary();
    for name in Format::builtin() {
        let format = Format::named(name).unwrap();
        let program = Program::compile(&format, &schema).unwrap();
        let written = program.write(&text, &entities).unwrap();
        println!("== {name}: {} {:?}", written.text, written.unexpressed);
        let reading = program.read(&text, written.text.as_bytes()).unwrap();
        let mut sorted = entities.clone();
        schema.sort(&mut sorted);
        let mut read = reading.entities.clone();
        schema.sort(&mut read);
        assert_eq!(read, sorted, "{:?}", reading.problems);
        for level in [Level::Syntax, Level::Grounded] {
            let t = std::time::Instant::now();
            let mut constraint = Constraint::new(program.clone(), &text, level, vocabulary.clone()).unwrap();
            let mut oracle = Oracle::new(program.clone(), &text, level, vocabulary.clone()).unwrap();
            let mut state = constraint.start();
            println!("  {level} start {:?} cost {} rest {}", t.elapsed(), constraint.tokens_to_finish(state), String::from_utf8_lossy(&constraint.shortest_rest(state)));
            let (mut tm, mut to) = (0.0, 0.0);
            for (i, byte) in written.text.bytes().enumerate() {
                let t = std::time::Instant::now();
                let mask = constraint.mask(state).to_vec();
                tm += t.elapsed().as_secs_f64();
                let t = std::time::Instant::now();
                assert_eq!(mask, oracle.mask(), "{name} {level} at {i}");
                to += t.elapsed().as_secs_f64();
                assert!(oracle.advance(&[byte]), "{name} {level} {i} {}", &written.text[..i]);
                state = constraint.advance(state, byte as u32).unwrap();
                constraint.tokens_to_finish(state);
            }
            assert!(constraint.accepts(state));
            println!("  mask {:.1} us oracle {:.1} us; {:?}", tm * 1e6 / written.text.len() as f64, to * 1e6 / written.text.len() as f64, constraint.visited());
        }
    }
}
