# check.rb FORMULA: installs a Homebrew formula as brew does, for every platform that it has, into a folder of its own, and runs its test
# block with what was installed where that is a program for this machine. It stands in for brew where there is none: the part of the DSL
# that our formula uses is below, each piece named as in Homebrew's Formula (docs.brew.sh/rubydoc/Formula.html), and an unknown one fails.
# What `brew audit --strict` refuses of it fails here too: a fact that is missing, out of order, or in a block that may not have it.
require "digest"
require "fileutils"
require "pathname"
require "tmpdir"
require "uri"

FACTS = %i[desc homepage url version sha256 license].freeze # in the order that brew wants
HOST = { os: :linux, cpu: RUBY_PLATFORM.include?("aarch64") ? :arm : :intel }.freeze

class Formula
  class << self
    attr_accessor :platform
    attr_reader :steps

    def fact(name, value = nil)
      @facts ||= {}
      return @facts.fetch(name) if value.nil?
      raise "#{name} stands directly in #{blocks[0]}: it belongs into on_arm or on_intel there" if blocks.one?
      @order = (@order || []) << name if blocks.empty?
      @facts[name] = value
    end

    FACTS.each { |name| define_method(name) { |value = nil| fact(name, value) } }

    def depends_on(want) = (@needs ||= []) << want
    def needs = @needs || []
    def on_macos(&block) = within(:on_macos, Formula.platform[:os] == :macos, &block)
    def on_linux(&block) = within(:on_linux, Formula.platform[:os] == :linux, &block)
    def on_arm(&block) = within(:on_arm, Formula.platform[:cpu] == :arm, &block)
    def on_intel(&block) = within(:on_intel, Formula.platform[:cpu] == :intel, &block)
    def test(&block) = @test = block
    def tests = @test
    def order = @order || []

    private

    def blocks = @blocks ||= []

    def within(block, here)
      blocks.push(block)
      yield if here
      blocks.pop
    end
  end

  def initialize(prefix) = @prefix = Folder.new(prefix)

  def prefix = @prefix
  def bin = prefix + "bin"
  def man1 = prefix + "share/man/man1"
  def bash_completion = prefix + "etc/bash_completion.d"
  def zsh_completion = prefix + "share/zsh/site-functions"
  def fish_completion = prefix + "share/fish/vendor_completions.d"
  def doc = prefix + "share/doc/sandkeeper"
  def version = self.class.version

  def shell_output(command)
    said = `#{command}`
    raise "#{command}: exit #{$?.exitstatus}" unless $?.success?
    said
  end

  def assert_match(wanted, said) = said.include?(wanted) || raise("#{said.inspect} lacks #{wanted.inspect}")
end

# Folder is a Pathname that takes files in, as brew's does: what is named is moved there, and a name that is not there is an error.
class Folder < Pathname
  def +(other) = Folder.new(super)

  def install(*names)
    names = names.flatten
    raise "nothing to install into #{self}" if names.empty?
    mkpath
    names.each { |name| FileUtils.mv(name, self) }
  end
end

def installed(formula, prefix)
  path = URI(formula.url).path
  sum = Digest::SHA256.file(path).hexdigest
  raise "#{path} has the digest #{sum}, not #{formula.sha256}" unless sum == formula.sha256
  Dir.mktmpdir do |stage|
    system("tar", "-xzf", path, "-C", stage, exception: true)
    tops = Dir.children(stage)
    Dir.chdir(tops.one? ? File.join(stage, tops[0]) : stage) { formula.new(prefix).install }
  end
end

%i[bin/sandkeeper share/man/man1/sandkeeper.1.gz etc/bash_completion.d/sandkeeper share/zsh/site-functions/_sandkeeper
   share/fish/vendor_completions.d/sandkeeper.fish share/doc/sandkeeper/copyright share/doc/sandkeeper/README.md].freeze.then do |wanted|
  [%i[macos arm], %i[macos intel], %i[linux intel], %i[linux arm]].each do |os, cpu|
    Formula.platform = { os: os, cpu: cpu }
    Object.send(:remove_const, :Sandkeeper) if Object.const_defined?(:Sandkeeper)
    load ARGV.fetch(0)
    raise "the facts are #{Sandkeeper.order.join(", ")}; brew wants #{FACTS.join(", ")}" unless Sandkeeper.order == FACTS
    raise "the description is not what brew takes" if Sandkeeper.desc.length > 80 || Sandkeeper.desc.match?(/\A(an?|the) |\.\z/i)
    if Sandkeeper.url.start_with?("http") && !Sandkeeper.homepage.start_with?("http")
      raise "the homepage #{Sandkeeper.homepage} is no page on the web"
    end
    if Sandkeeper.needs.any? { |need| need[:arch] && ![:arm64].include?(need[:arch]) || need[:arch] == :arm64 && cpu != :arm }
      puts "#{os} #{cpu}: refused, as it should be: there is no build for it"
      next
    end
    raise "#{os} #{cpu} gets the build of another machine" if Sandkeeper.url.include?("arm64") != (cpu == :arm)
    Dir.mktmpdir do |prefix|
      installed(Sandkeeper, prefix)
      lacks = wanted.reject { |name| File.file?(File.join(prefix, name.to_s)) }
      raise "#{os} #{cpu}: not installed: #{lacks.join(", ")}" unless lacks.empty?
      raise "#{os} #{cpu}: the program cannot be executed" unless File.executable?(File.join(prefix, "bin/sandkeeper"))
      here = Formula.platform == HOST
      Sandkeeper.new(prefix).instance_eval(&Sandkeeper.tests) if here
      puts "#{os} #{cpu}: installed#{" and tested" if here}"
    end
  end
end
