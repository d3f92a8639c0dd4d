// Text to TemplateNode: a lexer for what stands between {{ and }}, and a recursive descent parser.
#include "base/strings.h"
#include "cli/format/template_node.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

struct Token {
  enum class Kind { End, Field, Variable, Word, Text, Number, Dot, Pipe, Open, Close, Declare, Assign, Comma };
  Kind kind = Kind::End;
  std::string text;
};

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80);
}

Error template_error(std::string text) {
  return Error(Code::InvalidArgument, "template: :1: " + std::move(text));
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> tokens() {
    std::vector<Token> out;
    while (true) {
      bool space = skip_space();
      Token token = TRY(next(space || out.empty()));
      bool end = token.kind == Token::Kind::End;
      out.push_back(std::move(token));
      if (end) return out;
    }
  }

 private:
  bool skip_space() {
    size_t start = at_;
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ > start;
  }

  std::string name() {
    size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  Result<Token> next(bool separated) {
    using enum Token::Kind;
    if (at_ == text_.size()) return Token{};
    char c = text_[at_];
    auto one = [&](Token::Kind kind) {
      ++at_;
      return Token{kind, {}};
    };
    if (c == '|') return one(Pipe);
    if (c == '(') return one(Open);
    if (c == ')') return one(Close);
    if (c == ',') return one(Comma);
    if (c == '=') return one(Assign);
    if (text_.substr(at_, 2) == ":=") {
      at_ += 2;
      return Token{Declare, {}};
    }
    if (c == '"' || c == '`') return quoted(c);
    if (c == '$') {
      ++at_;
      return Token{Variable, "$" + name()};
    }
    if (c == '.' && at_ + 1 < text_.size() && is_name_char(text_[at_ + 1])) {
      ++at_;
      // ".A" behind a blank starts a new term; directly behind one it is that term's member.
      return Token{Field, (separated ? " " : "") + name()};
    }
    if (c == '.') return one(Dot);
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+') return number();
    if (is_name_char(c)) return Token{Word, name()};
    return template_error(fmt::format("unexpected \"{}\" in operand", c));
  }

  Result<Token> number() {
    size_t start = at_++;
    while (at_ < text_.size() && (is_name_char(text_[at_]) || text_[at_] == '.')) ++at_;
    return Token{Token::Kind::Number, std::string(text_.substr(start, at_ - start))};
  }

  Result<Token> quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == quote) {
        ++at_;
        return Token{Token::Kind::Text, out};
      }
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        c = text_[++at_];
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
      }
      out += c;
    }
    return template_error("unterminated quoted string");
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Parses the tokens of one action.
class PipeParser {
 public:
  explicit PipeParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool at_end() const { return peek().kind == Token::Kind::End; }

  /// "$k, $v :=" in front of a pipeline.
  void declarations(TemplateNode& node) {
    if (peek().kind != Token::Kind::Variable) return;
    size_t count = peek(1).kind == Token::Kind::Comma ? 3 : 1;
    Token::Kind mark = peek(count).kind;
    if (mark != Token::Kind::Declare && mark != Token::Kind::Assign) return;
    node.declares = mark == Token::Kind::Declare;
    node.variables.push_back(take().text);
    if (count == 3) {
      take();
      node.variables.push_back(take().text);
    }
    take();
  }

  Result<TemplateTerm> pipeline() {
    TemplateTerm pipe;
    pipe.kind = TemplateTerm::Kind::Pipe;
    while (true) {
      pipe.pipe.push_back(TRY(command()));
      if (peek().kind != Token::Kind::Pipe) return pipe;
      take();
    }
  }

 private:
  // One command: an operand, and what is handed to it.
  Result<TemplateTerm> command() {
    TemplateTerm first = TRY(operand());
    while (!at_end() && peek().kind != Token::Kind::Pipe && peek().kind != Token::Kind::Close) {
      first.arguments.push_back(TRY(operand()));
    }
    return first;
  }

  Result<TemplateTerm> operand() {
    using enum Token::Kind;
    Token token = take();
    TemplateTerm term;
    switch (token.kind) {
      case Dot:
        break;
      case Field:
        term.fields.push_back(std::string(trim(token.text)));
        break;
      case Variable:
        term.kind = TemplateTerm::Kind::Variable;
        term.name = token.text;
        break;
      case Text:
        term.kind = TemplateTerm::Kind::Literal;
        term.literal = json::string(token.text);
        break;
      case Number:
        TRY(number(token.text, term));
        break;
      case Word:
        TRY(word(token.text, term));
        break;
      case Open:
        term = TRY(pipeline());
        if (take().kind != Close) return template_error("unclosed left paren");
        break;
      case End:
        return template_error("missing value for command");
      default:
        return template_error("unexpected token in operand");
    }
    while (peek().kind == Field && !peek().text.starts_with(' ')) term.fields.push_back(take().text);
    return term;
  }

  Result<void> number(const std::string& text, TemplateTerm& term) {
    term.kind = TemplateTerm::Kind::Literal;
    if (auto integer = parse_int(text)) {
      term.literal = *integer;
      return {};
    }
    char* end = nullptr;
    double value = std::strtod(text.c_str(), &end);
    if (*end || text.empty()) return template_error(fmt::format("bad number syntax: \"{}\"", text));
    term.literal = value;
    return {};
  }

  Result<void> word(const std::string& text, TemplateTerm& term) {
    term.kind = TemplateTerm::Kind::Literal;
    if (text == "true" || text == "false") {
      term.literal = text == "true";
    } else if (text == "nil") {
      term.literal = nullptr;
    } else if (is_function(text)) {
      term.kind = TemplateTerm::Kind::Function;
      term.name = text;
    } else {
      return template_error(fmt::format("function \"{}\" not defined", text));
    }
    return {};
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

// The whole text: pieces between actions, nested by if, range and with.
class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : rest_(text) {}

  Result<TemplateNode> parse() {
    TemplateNode root;
    std::string end = TRY(list(root.body));
    if (!end.empty()) return template_error("unexpected {{" + end + "}}");
    return root;
  }

 private:
  // Nodes up to {{end}}, {{else ...}} or the end of the text; returns the words of the ending action.
  Result<std::string> list(std::vector<TemplateNode>& out) {
    if (++depth_ > 100) return template_error("nesting too deep");
    while (true) {
      std::string text, action;
      if (!TRY(split_piece(text, action))) {
        add_text(out, text);
        --depth_;
        return std::string();
      }
      add_text(out, text);
      if (action.empty()) continue;  // a comment
      if (action == "end" || action == "else" || action.starts_with("else ")) {
        --depth_;
        return action;
      }
      out.push_back(TRY(node(action)));
    }
  }

  static void add_text(std::vector<TemplateNode>& out, std::string text) {
    if (text.empty()) return;
    TemplateNode node;
    node.kind = TemplateNode::Kind::Text;
    node.text = std::move(text);
    out.push_back(std::move(node));
  }

  // The text in front of the next action, and the action's inside; false when there is none.
  Result<bool> split_piece(std::string& text, std::string& action) {
    size_t open = rest_.find("{{");
    std::string_view before = rest_.substr(0, open);
    if (trim_next_) before = before.substr(std::min(before.size(), before.find_first_not_of(" \t\r\n")));
    trim_next_ = false;
    text = before;
    if (open == std::string_view::npos) {
      rest_ = {};
      return false;
    }
    rest_.remove_prefix(open + 2);
    if (rest_.starts_with("- ") || rest_.starts_with("-\n") || rest_.starts_with("-\t")) {
      text.resize(text.find_last_not_of(" \t\r\n") + 1);
      rest_.remove_prefix(1);
    }
    size_t close = find_close();
    if (close == std::string_view::npos) return template_error("unclosed action");
    std::string_view inside = rest_.substr(0, close);
    rest_.remove_prefix(close + 2);
    if (inside.ends_with(" -") || inside.ends_with("\t-")) {
      inside.remove_suffix(1);
      trim_next_ = true;
    }
    inside = trim(inside);
    if (inside.starts_with("/*") && inside.ends_with("*/")) {
      action.clear();
      return true;
    }
    if (inside.empty()) return template_error("missing value for command");
    action = inside;
    return true;
  }

  // "}}" outside of quotes.
  size_t find_close() const {
    char quote = 0;
    for (size_t i = 0; i + 1 < rest_.size(); ++i) {
      char c = rest_[i];
      if (quote) {
        if (c == '\\' && quote == '"')
          ++i;
        else if (c == quote)
          quote = 0;
      } else if (c == '"' || c == '`') {
        quote = c;
      } else if (c == '}' && rest_[i + 1] == '}') {
        return i;
      }
    }
    return std::string_view::npos;
  }

  Result<TemplateNode> node(const std::string& action) {
    static constexpr std::pair<std::string_view, TemplateNode::Kind> kBlocks[] = {
        {"if", TemplateNode::Kind::If}, {"range", TemplateNode::Kind::Range}, {"with", TemplateNode::Kind::With}};
    TemplateNode out;
    if (action == "break" || action == "continue") {
      out.kind = action == "break" ? TemplateNode::Kind::Break : TemplateNode::Kind::Continue;
      return out;
    }
    out.kind = TemplateNode::Kind::Action;
    std::string_view inside = action;
    for (const auto& [word, kind] : kBlocks) {
      if (inside.starts_with(word) && inside.size() > word.size() && !is_name_char(inside[word.size()])) {
        out.kind = kind;
        inside.remove_prefix(word.size());
        break;
      }
    }
    PipeParser parser(TRY(Lexer(inside).tokens()));
    parser.declarations(out);
    out.pipe = TRY(parser.pipeline());
    if (!parser.at_end()) return template_error("unexpected token in " + action);
    if (out.kind != TemplateNode::Kind::Action) TRY(block(out));
    return out;
  }

  Result<void> block(TemplateNode& out) {
    std::string end = TRY(list(out.body));
    if (end == "else") {
      end = TRY(list(out.otherwise));
    } else if (end.starts_with("else ")) {
      // {{else if x}} is an if inside the else, sharing the one {{end}}.
      out.otherwise.push_back(TRY(node(std::string(trim(end.substr(5))))));
      return {};
    }
    if (end != "end") return template_error("unexpected EOF");
    return {};
  }

  std::string_view rest_;
  bool trim_next_ = false;
  int depth_ = 0;
};

}  // namespace

Result<TemplateNode> parse_template(std::string_view text) {
  return TemplateParser(text).parse();
}

}  // namespace sampan::cli
