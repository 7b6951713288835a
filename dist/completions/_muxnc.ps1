
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'muxnc' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'muxnc'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'muxnc' {
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Write the manual page, or a shell''s completion, to stdout')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'What you are called in a --chat')
            [CompletionResult]::new('--welcome', '--welcome', [CompletionResultType]::ParameterName, 'In a --chat, the first line that each newcomer reads, behind *')
            [CompletionResult]::new('--history', '--history', [CompletionResultType]::ParameterName, 'Give each newcomer the last LINES lines first')
            [CompletionResult]::new('--wait-for', '--wait-for', [CompletionResultType]::ParameterName, 'Read nothing of stdin before N peers are here')
            [CompletionResult]::new('--slow-peer', '--slow-peer', [CompletionResultType]::ParameterName, 'What to do about a peer that does not keep up')
            [CompletionResult]::new('--stall-timeout', '--stall-timeout', [CompletionResultType]::ParameterName, 'Cut off a participant that holds the others up this long and takes nothing')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Read so many bytes in a second from each peer at most, as 500, 10k or 2M [default: no limit]')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Let browsers join as well, at http://ADDRESS:PORT/')
            [CompletionResult]::new('--web-origin', '--web-origin', [CompletionResultType]::ParameterName, 'With --web, another name that the page may be opened by, as that of a proxy')
            [CompletionResult]::new('--bus', '--bus', [CompletionResultType]::ParameterName, 'Be one class with the other hubs that have this URL: nats://HOST[:PORT]/CLASS')
            [CompletionResult]::new('--bus-name', '--bus-name', [CompletionResultType]::ParameterName, 'What this hub is called on the --bus [default: the name of this machine]')
            [CompletionResult]::new('--bus-buffer', '--bus-buffer', [CompletionResultType]::ParameterName, 'Keep lines of so many bytes for the --bus while it is away, as 500k or 64M [default: 64M]')
            [CompletionResult]::new('--bus-trustfile', '--bus-trustfile', [CompletionResultType]::ParameterName, 'Believe the certificates in this PEM file, instead of the system''s, of a tls:// server')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Let in only HOSTS: 192.0.2.7,198.51.100.0/24,2001:db8::/32,example.org')
            [CompletionResult]::new('--allowfile', '--allowfile', [CompletionResultType]::ParameterName, 'Let in only the hosts in FILE: any number in a line; # begins a comment')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Refuse HOSTS')
            [CompletionResult]::new('--denyfile', '--denyfile', [CompletionResultType]::ParameterName, 'Refuse the hosts in FILE')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Let N peers in at most [default: as many as there are descriptors]')
            [CompletionResult]::new('--max-conns', '--max-conns', [CompletionResultType]::ParameterName, 'Let N peers in at most [default: as many as there are descriptors]')
            [CompletionResult]::new('--max-per-host', '--max-per-host', [CompletionResultType]::ParameterName, 'Let in N peers of one address at most')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The port to come from; with -l, the port to listen on')
            [CompletionResult]::new('--source-port', '--source-port', [CompletionResultType]::ParameterName, 'The port to come from; with -l, the port to listen on')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'The address to come from; with -l, the one to listen on')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'The address to come from; with -l, the one to listen on')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Connect through this proxy [default ports: 3128 for http, else 1080]')
            [CompletionResult]::new('--proxy-type', '--proxy-type', [CompletionResultType]::ParameterName, 'What the proxy speaks')
            [CompletionResult]::new('--proxy-auth', '--proxy-auth', [CompletionResultType]::ParameterName, 'Who you are to the proxy, should it ask (or set NCAT_PROXY_AUTH)')
            [CompletionResult]::new('--proxy-dns', '--proxy-dns', [CompletionResultType]::ParameterName, 'Who looks the destination''s name up')
            [CompletionResult]::new('--ssl-cert', '--ssl-cert', [CompletionResultType]::ParameterName, 'The certificate to show, a PEM file')
            [CompletionResult]::new('--ssl-key', '--ssl-key', [CompletionResultType]::ParameterName, 'The key of that certificate, a PEM file [default: the file of --ssl-cert]')
            [CompletionResult]::new('--ssl-trustfile', '--ssl-trustfile', [CompletionResultType]::ParameterName, 'Believe the certificates in this PEM file and those signed by them, instead of the system''s')
            [CompletionResult]::new('--ssl-fingerprint', '--ssl-fingerprint', [CompletionResultType]::ParameterName, 'Believe the certificate with this SHA-256, and no other')
            [CompletionResult]::new('--ssl-servername', '--ssl-servername', [CompletionResultType]::ParameterName, 'The name that the certificate must have [default: the host]')
            [CompletionResult]::new('--ssl-alpn', '--ssl-alpn', [CompletionResultType]::ParameterName, 'Application protocols to agree on, the best first: as h2,http/1.1')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Try to connect for this long, over all addresses [default: 10s]')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Try to connect for this long, over all addresses [default: 10s]')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'End a connection over which nothing went for this long')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'End a connection over which nothing went for this long')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Wait this long after each line sent; stdin is not read meanwhile')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'Wait this long after each line sent; stdin is not read meanwhile')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Leave this long after the end of stdin at the latest')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write what is received and sent to FILE, as it is')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write what is received and sent to FILE, as it is')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Write a hex dump of it to FILE, with time, direction and peer')
            [CompletionResult]::new('--hex-dump', '--hex-dump', [CompletionResultType]::ParameterName, 'Write a hex dump of it to FILE, with time, direction and peer')
            [CompletionResult]::new('--transcript', '--transcript', [CompletionResultType]::ParameterName, 'Write who said what, came and went to FILE, line by line, after what is in it already')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Write a line of JSON for each thing that happens to FILE, or to the descriptor N: json:fd:N')
            [CompletionResult]::new('--collect', '--collect', [CompletionResultType]::ParameterName, 'Keep what each participant says in a file of its own in DIR, as DIR/0003-Ana.txt')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Say who said it: `auto` from the second participant on')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour the labels: `auto` if stdout is a terminal and NO_COLOR is not set')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Say the most important in ten lines')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Say everything')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Say which version this is')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'The same, with the commit it was built from and its features')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Listen: be the hub, and serve everybody who connects')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen: be the hub, and serve everybody who connects')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Serve on after the end of stdin, and do not end the peers'' streams')
            [CompletionResult]::new('--keep-open', '--keep-open', [CompletionResultType]::ParameterName, 'Serve on after the end of stdin, and do not end the peers'' streams')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Serve one peer and end with it, as nc -l does')
            [CompletionResult]::new('--broker', '--broker', [CompletionResultType]::ParameterName, 'Pass each peer''s lines on to all the others')
            [CompletionResult]::new('--chat', '--chat', [CompletionResultType]::ParameterName, 'Be a chat: --broker, and who said it before every line')
            [CompletionResult]::new('--open-messages', '--open-messages', [CompletionResultType]::ParameterName, 'In a --chat, show you what participants say to one alone by /msg')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Begin lines on your screen with the time, and in a --chat everybody''s: [09:11:33]')
            [CompletionResult]::new('--bus-at-most-once', '--bus-at-most-once', [CompletionResultType]::ParameterName, 'Lose lines on the --bus rather than keep them there')
            [CompletionResult]::new('--bus-trust', '--bus-trust', [CompletionResultType]::ParameterName, 'Let the operators of other hubs cut off and mute participants here')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('-U', '-U ', [CompletionResultType]::ParameterName, 'Use a Unix socket: a PATH in place of HOST and PORT')
            [CompletionResult]::new('--unixsock', '--unixsock', [CompletionResultType]::ParameterName, 'Use a Unix socket: a PATH in place of HOST and PORT')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Use UDP: with -l, show what anybody sends, and send what is typed to those who were heard')
            [CompletionResult]::new('--udp', '--udp', [CompletionResultType]::ParameterName, 'Use UDP: with -l, show what anybody sends, and send what is typed to those who were heard')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Look nothing up: addresses and ports are numbers')
            [CompletionResult]::new('--nodns', '--nodns', [CompletionResultType]::ParameterName, 'Look nothing up: addresses and ports are numbers')
            [CompletionResult]::new('--ssl', '--ssl', [CompletionResultType]::ParameterName, 'Encrypt with TLS, and verify whom we talk to')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Encrypt with TLS, and verify whom we talk to')
            [CompletionResult]::new('--ssl-verify', '--ssl-verify', [CompletionResultType]::ParameterName, 'Verify the other side: the default, but for a hub')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Send CRLF for each end of line')
            [CompletionResult]::new('--crlf', '--crlf', [CompletionResultType]::ParameterName, 'Send CRLF for each end of line')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Hide telnet''s negotiation, and answer it: no to everything')
            [CompletionResult]::new('--telnet', '--telnet', [CompletionResultType]::ParameterName, 'Hide telnet''s negotiation, and answer it: no to everything')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'End our side of the connection at the end of stdin: the default')
            [CompletionResult]::new('--no-shutdown', '--no-shutdown', [CompletionResultType]::ParameterName, 'Keep our side open after the end of stdin')
            [CompletionResult]::new('--send-only', '--send-only', [CompletionResultType]::ParameterName, 'Only send: what comes in is thrown away, and the end of stdin is the end')
            [CompletionResult]::new('--recv-only', '--recv-only', [CompletionResultType]::ParameterName, 'Only receive: stdin is not read')
            [CompletionResult]::new('--sha256', '--sha256', [CompletionResultType]::ParameterName, 'Tell at the end the SHA-256 of what was sent and of what was received, as sha256sum makes it')
            [CompletionResult]::new('-z', '-z', [CompletionResultType]::ParameterName, 'Send and receive nothing: only see whether something listens there')
            [CompletionResult]::new('--append-output', '--append-output', [CompletionResultType]::ParameterName, 'Keep what is in the files of -o and -x already, too')
            [CompletionResult]::new('--raw-output', '--raw-output', [CompletionResultType]::ParameterName, 'Let the bytes of others do to the terminal what they will')
            [CompletionResult]::new('--no-edit', '--no-edit', [CompletionResultType]::ParameterName, 'Do not edit the line being typed: leave that to the terminal, as nc does')
            [CompletionResult]::new('--no-commands', '--no-commands', [CompletionResultType]::ParameterName, 'Say what begins with / like anything else')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on stderr what happens; twice or three times: in detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on stderr what happens; twice or three times: in detail')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Explain in plain words what happens on each connection, layer by layer, as it happens')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what went wrong')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
