# PowerShell completion of mon, written by `mon completion powershell`; dot-source it in your $PROFILE.

Register-ArgumentCompleter -Native -CommandName mon -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $Env:COMP_WORDS = $commandAst.ToString().PadRight($length).Substring(0, $length)
    $Env:_MON_COMPLETE = 'complete_powershell'
    try {
        mon 2>$null | ForEach-Object {
            $value, $description = $_ -split "`t", 2
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $description)
        }
    }
    finally {
        Remove-Item Env:COMP_WORDS, Env:_MON_COMPLETE
    }
}
